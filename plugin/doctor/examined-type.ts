import type { Resource } from '../fhir/resource.js'
import { sanitizerFor } from '../search/core.js'
import { hostRequest } from '../search/host-request.js'
import type { Remark } from './finding.js'
import { finds, type PageWalk, walkPages } from './page-walk.js'
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

/** A resource of a sample that can be asked for. */
export type Askable = Resource & { readonly id: string }

/** Those of a sample that are what they should be, and can be asked for. */
export function askable({ sample, served }: ExaminedType): readonly Askable[] {
  return sample.filter(
    (resource): resource is Askable =>
      resource.resourceType === served.type && typeof resource.id === 'string',
  )
}

/** Whether a resource comes as it came before: on a server that is in use, it may have been written or deleted meanwhile. */
export async function isUnchanged({ probe }: ExaminedType, { id, meta }: Askable): Promise<boolean> {
  const { resources } = await walkPages(probe)
  const now = resources.find((resource) => resource.id === id)
  return now !== undefined && String(now.meta?.lastUpdated) === String(meta?.lastUpdated)
}

/**
 * Whether a search by these parameters fails to find a resource that it has to find. The search is made narrower by
 * `_id` where that works, so that few resources come.
 */
export async function loses(
  examined: ExaminedType,
  params: Readonly<Record<string, string>>,
  resource: Askable,
): Promise<boolean> {
  return (await findsOne(examined, params, resource.id)) === false && (await isUnchanged(examined, resource))
}

/** `undefined` when it cannot be told. */
async function findsOne(
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
