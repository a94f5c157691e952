import type { Db } from 'mongodb'
import { ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import type { ResourceType } from '../fhir/resource.js'
import type { HostQueries, HostQuestion } from './host-query.js'
import { type CollectionNames, ScanCollection } from './scan-collection.js'
import { type CollectionQuery, collectionQuery, obstacleIn } from './scan-filter.js'
import { patientFields } from './scan-patient-filter.js'

/** Where it is known from which collection has a type: from its service, or from the option `collections`. */
export type ScanOrigin = 'exportQuery' | 'collections'

/** What a host offers for a type besides `search`. */
export interface ReadingOffer {
  /** From where it is known which collection has it, the best first; empty: it is not known. */
  readonly origins: readonly ScanOrigin[]
  /** Whether its service has `searchStream`. */
  readonly hasStream: boolean
}

/** The types of a host that can be read from their collections. */
export interface Scans {
  offer(type: ResourceType, version: string): ReadingOffer
  /** The names of all collections that there are. */
  collections(): Promise<ReadonlySet<string>>
  /**
   * Finds out the collection and the filter.
   *
   * @throws ExportError when the service gives no query that can be run, or this process does not know the origin
   */
  find(asked: ScanSubject): Promise<ScannedType>
}

export interface ScanSubject extends Omit<HostQuestion, 'query'> {
  readonly origin: ScanOrigin
  /** Searches of which a resource must match at least one, as query strings; absent: no filter. */
  readonly queries?: readonly string[] | undefined
}

export interface ScannedType extends CollectionQuery {
  /** An operator in the query of the service that no scan can have, such as `$text`; absent: none. */
  readonly obstacle?: string | undefined
  /** Whether its collection has no document at all. */
  isEmpty(): Promise<boolean>
  /** About how many resources there are, counted up to `most` where counting takes time. */
  count(most: number): Promise<number>
  /** The first `_id` of each of several ranges of about the same size but the first, as EJSON; none: it is too small. */
  ranges(): Promise<readonly string[]>
  /** The fields with references to patients, or the `id` of Patients, that no index begins with. */
  unindexed(): Promise<readonly string[]>
}

export interface ScanOptions {
  /** The database of the plugin's own connection. */
  readonly db: Db
  /** The option `collections`; absent: there is none. */
  readonly names?: CollectionNames | undefined
  readonly queries: HostQueries
}

export function scansOf({ db, names, queries }: ScanOptions): Scans {
  return {
    offer: (type, version) => readingOffer(type, version, { names, queries }),
    async collections() {
      const found = await db.listCollections({}, { nameOnly: true, authorizedCollections: true }).toArray()
      return new Set(found.map(({ name }) => name))
    },
    async find(subject) {
      const { type, base, origin } = subject
      if (origin === 'exportQuery') return scannedType({ db, base }, type, await queryOf(subject, queries))
      const collection = names?.(type, versionOf(base))
      if (collection === undefined) throw unknownHere(type, 'no collection')
      return scannedType({ db, base }, type, { collection, filter: {} })
    },
  }
}

/** What a host offers for a type in this FHIR version; nothing is asked of its service. */
export function readingOffer(
  type: ResourceType,
  version: string,
  { names, queries }: Pick<ScanOptions, 'names' | 'queries'>,
): ReadingOffer {
  const { hasQuery, hasStream } = queries.offer(type, version)
  const hasName = names?.(type, version) !== undefined
  return {
    origins: [
      ...(hasQuery ? (['exportQuery'] as const) : []),
      ...(hasName ? (['collections'] as const) : []),
    ],
    hasStream,
  }
}

/** Each document comes once, so a resource that several searches would find needs no care. */
async function queryOf(
  { origin, queries = [''], ...question }: ScanSubject,
  services: HostQueries,
): Promise<CollectionQuery> {
  const { type, base } = question
  if (!services.offer(type, versionOf(base)).hasQuery) throw unknownHere(type, 'no exportQuery')
  const found = await Promise.all(
    queries.map(async (query) => collectionQuery(type, await services.ask({ ...question, query }))),
  )
  const [{ collection, filter }] = found as [CollectionQuery]
  if (found.some((other) => other.collection !== collection)) {
    const text = `exportQuery of the service of ${type} names several collections; an export reads a type from one.`
    throw new ExportError(500, text)
  }
  return { collection, filter: found.length === 1 ? filter : { $or: found.map((one) => one.filter) } }
}

function scannedType(
  { db, base }: { readonly db: Db; readonly base: string },
  type: ResourceType,
  { collection: name, filter }: CollectionQuery,
): ScannedType {
  const collection = new ScanCollection(db, name)
  return {
    ...{ collection: name, filter },
    obstacle: obstacleIn(filter),
    isEmpty: () => collection.isEmpty(),
    count: (most) => collection.count(filter, most),
    ranges: () => collection.ranges(),
    unindexed: () => collection.unindexed(patientFields(type, versionOf(base))),
  }
}

/** What passes when all processes are of the same version and have the same options. */
function unknownHere(type: ResourceType, what: string): ExportError {
  const text = `This worker knows ${what} of ${type}, as the process has that planned the export.`
  return new ExportError(503, text, { code: 'transient' })
}
