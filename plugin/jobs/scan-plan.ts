import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import type { ResourceType } from '../fhir/resource.js'
import type { ReadingOffer, ScannedType, ScanOrigin, Scans } from '../search/scans.js'
import type { Caller } from '../search/search-adapter.js'
import type { FrozenCohort } from './cohort.js'
import { blaming } from './failure-reason.js'
import type { ExportJob, ScanPlan } from './model.js'
import {
  cohortReading,
  demandOf,
  mostThatMatter,
  type Reading,
  readingDespite,
  readingOf,
  readingsByWay,
  type TypesReading,
} from './reading-way.js'

/** How the types of a job are read. */
export interface ReadingPlan {
  /** Those that are read from their collections; absent: none. */
  readonly scans?: ExportJob['scans']
  readonly readings: readonly TypesReading[]
}

/** What planning a scan goes by. */
export interface PlanningScans {
  readonly job: ExportJob
  /** The cohort of the job; absent: it has none. */
  readonly frozen: FrozenCohort | undefined
  readonly scans: Scans | undefined
  readonly signal: AbortSignal
  readonly logger: Pick<Logger, 'debug' | 'warn'>
}

/** How many types are looked at at once. */
const AT_ONCE = 8
/**
 * How many patients are read for at once. More make the database's sort of a batch larger, fewer make more queries; see
 * ARCHITECTURE.md.
 */
const BATCH = 50

/**
 * Decides for each type of a job how it is read, and cuts the work. What it finds out may be otherwise a moment later, so
 * it counts only once it is in the record of the job.
 */
export async function planReading(planning: PlanningScans): Promise<ReadingPlan> {
  const { job } = planning
  const missing = new Map<string, boolean>()
  const known = {
    missing,
    patientCount: once(() => countPatients(planning)),
    // One question for all types, since most of those that a host serves have no collection.
    collections: once(() => planning.scans?.collections() ?? Promise.resolve(new Set<string>())),
  }
  const found = new Map<ResourceType, Reading & { readonly plan?: ScanPlan }>()
  const waiting = [...job.types]
  const work = async () => {
    try {
      for (let type = waiting.shift(); type !== undefined; type = waiting.shift()) {
        planning.signal.throwIfAborted()
        found.set(type, await planType(type, planning, known))
      }
    } catch (error) {
      // The others need not ask for what is planned anew.
      waiting.length = 0
      throw error
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (missing.size > 0 && [...missing.values()].every((isMissing) => isMissing)) return planSearches(planning)
  const inOrder = job.types.flatMap((type) => {
    const reading = found.get(type)
    return reading === undefined ? [] : [[type, reading] as const]
  })
  const scans = inOrder.flatMap(([type, { plan }]) => (plan === undefined ? [] : [[type, plan] as const]))
  return {
    ...(scans.length === 0 ? {} : { scans: Object.fromEntries(scans) }),
    readings: readingsByWay(inOrder),
  }
}

/**
 * Reads through the services. A database makes a collection with its first document, so one that is not there is empty;
 * but when none is there, it is not the database that they are in.
 */
function planSearches(planning: PlanningScans): ReadingPlan {
  const { job, logger } = planning
  logger.warn('collections.not-found', { job: job._id })
  const reason = 'none of the collections is in the database of the exports'
  const readings = job.types.map((type) => {
    const { way } = readingOf(demandOf(job, type), { ...offerOf(type, planning), origins: [] })
    return [type, { way, reason }] as const
  })
  return { readings: readingsByWay(readings) }
}

/** What is found out once for all types of a job, when it is needed. */
interface KnownToAll {
  /** Whether a collection is not there, by its name. */
  readonly missing: Map<string, boolean>
  patientCount(): Promise<number | undefined>
  collections(): Promise<ReadonlySet<string>>
}

async function planType(
  type: ResourceType,
  planning: PlanningScans,
  { patientCount, collections, missing }: KnownToAll,
): Promise<Reading & { readonly plan?: ScanPlan }> {
  const { job, scans, frozen } = planning
  const demand = demandOf(job, type)
  const offer = offerOf(type, planning)
  const { origin = demand.isAssociated ? offer.origins[0] : undefined, ...reading } = readingOf(demand, offer)
  if (origin === undefined || scans === undefined) return reading
  const scanned = await findScan(job, { type, origin }, scans, planning.signal)
  if (scanned.obstacle !== undefined && reading.way === 'scan') {
    return readingDespite(scanned.obstacle, demand, offer)
  }
  const { collection } = scanned
  const as = (plan: Cut, more?: string) => ({
    ...(more === undefined ? reading : { ...reading, reason: `${reading.reason}; ${more}` }),
    plan: { origin, collection, ...plan },
  })
  if (frozen?.size === 0) return as({ by: 'nothing' }, 'no patient is asked for')
  const isThere = (await collections()).has(collection)
  missing.set(collection, !isThere)
  if (!isThere || (await scanned.isEmpty())) return as({ by: 'nothing' }, 'its collection is empty')
  if (reading.way !== 'scan') return reading
  if (frozen === undefined) return as({ by: 'ranges', firsts: await scanned.ranges() })
  const { by, reason } = cohortReading({
    ...{ patients: frozen.size, all: await patientCount() },
    unindexed: await scanned.unindexed(),
  })
  if (by === 'patients') return as({ by, batch: BATCH }, reason)
  return as({ by, firsts: await scanned.ranges() }, reason)
}

/** A plan but for where its collection is known from. */
type Cut = ScanPlan extends infer Plan
  ? Plan extends ScanPlan
    ? Omit<Plan, 'origin' | 'collection'>
    : never
  : never

/** The collection of a type and the filter of a job for it. */
export function findScan(
  job: ExportJob,
  { type, origin }: { readonly type: ResourceType; readonly origin: ScanOrigin },
  scans: Scans,
  signal: AbortSignal,
): Promise<ScannedType> {
  const queries = job.filters?.filter((filter) => filter.type === type).map(({ query }) => query)
  return blaming('service', () =>
    scans.find({
      ...{ type, origin, signal, base: job.base, caller: JSON.parse(job.caller) as Caller },
      queries: queries === undefined || queries.length === 0 ? undefined : queries,
    }),
  )
}

function offerOf(type: ResourceType, { job, scans }: Pick<PlanningScans, 'job' | 'scans'>): ReadingOffer {
  return scans?.offer(type, versionOf(job.base)) ?? { origins: [], hasStream: false }
}

/** About how many Patients there are, if it matters and can be told. */
async function countPatients(planning: PlanningScans): Promise<number | undefined> {
  const { job, scans, frozen, signal } = planning
  const [origin] = offerOf('Patient', planning).origins
  if (scans === undefined || origin === undefined || frozen === undefined) return undefined
  try {
    const patients = await findScan({ ...job, filters: [] }, { type: 'Patient', origin }, scans, signal)
    return await patients.count(mostThatMatter(frozen.size))
  } catch (error) {
    signal.throwIfAborted()
    // Whoever may not read Patients, or has too many to count, gets the export all the same.
    planning.logger.debug('patients.not-counted', { job: job._id, error: describeError(error) })
    return undefined
  }
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => {
    done ??= work()
    return done
  }
}
