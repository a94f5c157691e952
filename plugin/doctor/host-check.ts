import type { ResourceType } from '../fhir/resource.js'
import type { Examination } from './examined-host.js'
import type { Area, Remark } from './finding.js'

/** A remark, and the type that it is about if it is about one. */
export type PlacedRemark = Remark & { readonly type?: ResourceType; readonly version?: string }

/** One thing that is looked at in a host. What it throws becomes a finding. */
export interface HostCheck {
  readonly name: string
  readonly area: Area
  run(examination: Examination): Promise<readonly PlacedRemark[]>
}
