import type { ExportLevel, ExportRequest } from '../fhir/export-request.js'
import { compartmentOf } from '../fhir/patient-compartment.js'
import type { ResourceType } from '../fhir/resource.js'
import type { ProvenanceChoice } from './model.js'

/**
 * Provenance is in a compartment by what it is about, not only when that is the Patient (Bulk Data 3.0.0,
 * `includeAssociatedData`: what is exported without it).
 *
 * @param readable the types of the host that the client may read
 * @param version as the host core writes it, such as `4_0_0`
 * @returns `undefined` when Provenance is exported like any other type, or not at all
 */
export function provenanceChoice(
  level: ExportLevel,
  types: readonly ResourceType[],
  associated: ExportRequest['associated'],
  readable: readonly ResourceType[],
  version: string,
): ProvenanceChoice | undefined {
  const others = (all: readonly ResourceType[]) => all.filter((type) => type !== 'Provenance')
  if (!types.includes('Provenance')) return undefined
  if (associated !== undefined) return { which: associated, of: others(types) }
  if (level === 'system') return undefined
  return { which: 'compartment', of: others(readable).filter((type) => compartmentOf(version).has(type)) }
}
