import type { ResourceType } from '../fhir/resource.js'
import type { TypeFilter } from '../fhir/type-filter.js'
import type { ReadingOffer, ScanOrigin } from '../search/scans.js'

/** How resources of a type are read: page by page, as a stream of its service, or past it from its collection. */
export type ReadingWay = 'search' | 'stream' | 'scan'

/** The way in which types are read, and in a few words why. */
export interface Reading {
  readonly way: ReadingWay
  readonly reason: string
}

/** Types that are read in the same way for the same reason. */
export interface TypesReading extends Reading {
  readonly types: readonly ResourceType[]
}

/** What is asked of a type. */
export interface Demand {
  /** Whether it is narrowed by `_typeFilter`. */
  readonly isFiltered: boolean
  /** Whether its resources come with others, as associated Provenance does. */
  readonly isAssociated: boolean
}

/** What an export asks of a type that it asks nothing of. */
export const ALL: Demand = { isFiltered: false, isAssociated: false }

/** What a job asks of a type. */
export function demandOf(
  { filters = [], provenance }: { readonly filters?: readonly TypeFilter[]; readonly provenance?: object },
  type: ResourceType,
): Demand {
  return {
    isFiltered: filters.some((filter) => filter.type === type),
    isAssociated: type === 'Provenance' && provenance !== undefined,
  }
}

/**
 * Decides how a type is read; the one place that does. That a collection is read by ranges or by patients, or turns out to
 * be empty, is `cohortReading`'s affair.
 */
export function readingOf(
  { isFiltered, isAssociated }: Demand,
  { origins, hasStream }: ReadingOffer,
): Reading & { readonly origin?: ScanOrigin } {
  if (isAssociated) return { way: 'search', reason: 'associated Provenance is chosen by other resources' }
  const [origin] = origins
  if (origin === 'exportQuery') return { way: 'scan', origin, reason: 'its service has exportQuery' }
  if (origin === 'collections' && !isFiltered) {
    return { way: 'scan', origin, reason: 'the option collections names its collection' }
  }
  const lack = hasStream ? 'has searchStream but no exportQuery' : 'has no exportQuery'
  return {
    way: hasStream ? 'stream' : 'search',
    reason:
      origin === 'collections'
        ? `_typeFilter needs its service, which ${lack}`
        : `its service ${lack} and no collection is known`,
  }
}

/** The same for a type whose `exportQuery` gives a filter with an operator that no scan can have, such as `$text`. */
export function readingDespite(obstacle: string, demand: Demand, offer: ReadingOffer): Reading {
  const { way } = readingOf(demand, { ...offer, origins: [] })
  return { way, reason: `its exportQuery gives a filter with ${obstacle}, which no scan can have` }
}

/** What is known of a cohort, and of the collection that its resources are in. */
export interface CohortSize {
  /** How many patients it has. */
  readonly patients: number
  /** How many Patients there are, counted up to `mostThatMatter`; absent: it is not known. */
  readonly all?: number | undefined
  /** Fields with references to patients that no index begins with. */
  readonly unindexed: readonly string[]
}

/** Up to this share of all patients an index is faster than reading everything; see ARCHITECTURE.md. */
const SMALL_SHARE = 0.1
/** So many patients are few, where it is not known how many there are. */
const FEW_PATIENTS = 500

/** Whether the compartments of a cohort are read by an index, or all of the collection is looked at; and why. */
export function cohortReading({ patients, all, unindexed }: CohortSize): {
  readonly by: 'ranges' | 'patients'
  readonly reason: string
} {
  if (unindexed.length > 0) {
    return { by: 'ranges', reason: `all of it is looked at, as there is no index on ${unindexed.join(', ')}` }
  }
  const isSmall = all === undefined ? patients <= FEW_PATIENTS : patients <= all * SMALL_SHARE
  return isSmall
    ? { by: 'patients', reason: 'by its indexes on patients, as few are asked for' }
    : { by: 'ranges', reason: 'all of it is looked at, as many patients are asked for' }
}

/** More Patients than this make no difference to a cohort of so many. */
export function mostThatMatter(patients: number): number {
  return Math.ceil(patients / SMALL_SHARE)
}

/** Puts together what is read in the same way, for people. */
export function readingsByWay(
  readings: Iterable<readonly [type: ResourceType, reading: Reading]>,
): readonly TypesReading[] {
  const groups = new Map<string, Reading & { readonly types: ResourceType[] }>()
  for (const [type, { way, reason }] of readings) {
    const key = `${way} ${reason}`
    const group = groups.get(key) ?? { way, reason, types: [] }
    group.types.push(type)
    groups.set(key, group)
  }
  return [...groups.values()]
}
