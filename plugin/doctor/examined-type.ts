import type { Resource } from '../fhir/resource.js'
import { sanitizerFor } from '../search/core.js'
import { hostRequest } from '../search/host-request.js'
import type { Remark } from './finding.js'
import { finds, type PageWalk } from './page-walk.js'
import type { ServedType } from './profiles.js'
import { SearchFailure, type ServiceProbe } from './service-probe.js'

/** A type that has resources, with the first of them. */
export interface ExaminedType {
  readonly served: ServedType
  /** The FHIR base URL. */
  readonly base: string
  readonly probe: ServiceProbe
  /** What came without any parameter. */
  readonly walk: PageWalk
  /** Some of that, as it came. */
  readonly sample: readonly Resource[]
}

/** One thing that is looked at in each type. */
export interface TypeCheck {
  readonly name: string
  run(examined: ExaminedType): Promise<readonly Remark[]>
  /** What is said when a search of the check has no answer. */
  readonly failure: {
    readonly level: 'notice' | 'warning' | 'error'
    readonly search: string
    readonly cost: string
  }
}

/** Those of a sample that are what they should be, and can be asked for. */
export function askable({ sample, served }: ExaminedType): readonly (Resource & { readonly id: string })[] {
  return sample.filter(
    (resource): resource is Resource & { readonly id: string } =>
      resource.resourceType === served.type && typeof resource.id === 'string',
  )
}

/**
 * Whether a search by these parameters finds a resource that it has to find; `undefined` when that cannot be told. The
 * search is made narrower by `_id` where that works, so that few resources come.
 */
export async function findsOne(
  { probe }: ExaminedType,
  params: Readonly<Record<string, string>>,
  id: string,
): Promise<boolean | undefined> {
  const narrowed = await unlessThrown(() => finds(probe, { ...params, _id: id }, id))
  if (narrowed === true) return true
  if (narrowed === false && (await unlessThrown(() => finds(probe, { _id: id }, id))) === true) return false
  return finds(probe, params, id)
}

/** Whether the core hands a search parameter on to the service at all. */
export function isDeclared({ served, base }: ExaminedType, name: string, value: string): boolean {
  const { type, version, profile } = served
  const req = hostRequest(base, type, new URLSearchParams({ [name]: value }), { headers: {} })
  return Object.hasOwn(sanitizerFor(type, version, profile.metadata)(req), name)
}

/** A service may be able to search by one thing and not by two. */
async function unlessThrown<T>(search: () => Promise<T>): Promise<T | undefined> {
  try {
    return await search()
  } catch (error) {
    if (error instanceof SearchFailure && error.reason === 'threw') return undefined
    throw error
  }
}
