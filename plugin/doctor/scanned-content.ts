import type { CollectionQuery } from '../search/scan-filter.js'
import type { ScanOrigin } from '../search/scans.js'
import { askable, type ExaminedType, isUnchanged } from './examined-type.js'
import type { Remark } from './finding.js'
import { finds, walkPages } from './page-walk.js'
import { SearchFailure } from './service-probe.js'
import type { StoredDocument, StoredDocuments } from './stored-documents.js'

/** So many documents from each end of the collection are looked at: services mostly give the first ones first. */
const SAMPLE = 10
/** So many of them are searched for, where the first pages do not have all that the service gives. */
const MOST_SEARCHES = 8
/** So many resources that are not found are looked for once more. */
const MOST_DOUBTS = 3

/**
 * Whether the service gives what exports read in its place: no more, and no less.
 *
 * @param known where they read, and what of it for the caller
 * @param open what a query finds in its collection
 * @throws what the database throws
 */
export async function scannedContent(
  examined: ExaminedType,
  known: CollectionQuery,
  open: (query: CollectionQuery) => StoredDocuments,
): Promise<readonly Remark[]> {
  const { type, origin = 'collections' } = examined.served
  const stored = open(known)
  const documents = await stored.fromBothEnds(SAMPLE)
  const others = documents.filter(({ resourceType, id }) => resourceType !== type || typeof id !== 'string')
  const detail = known.collection
  if (others.length > 0) {
    return [{ ...OTHER_CONTENT[origin], detail: `${detail}, ${others.length} of ${documents.length}` }]
  }
  const lost = await lostBy(examined, stored)
  if (lost !== undefined) {
    // What the filter does not take is another fault than what is kept elsewhere.
    const all = open({ ...known, filter: {} })
    if (!(await all.idsAmong([lost])).has(lost)) return [{ ...ELSEWHERE[origin], detail }]
  }
  const isWider = await hasMore(examined, stored, documents)
  const remarks: readonly Remark[] = [
    ...(lost === undefined ? [] : [{ ...TOO_NARROW, detail }]),
    ...(isWider ? [{ ...TOO_WIDE[origin], detail }] : []),
  ]
  if (remarks.length > 0 || (documents.length === 0 && examined.walk.resources.length === 0)) return remarks
  return [{ level: 'ok', what: 'The collection has what the service gives, and no more was seen.' }]
}

/** The id of a resource that the service gives, and that is not among what is stored. */
async function lostBy(examined: ExaminedType, stored: StoredDocuments): Promise<string | undefined> {
  const given = askable(examined)
  const there = await stored.idsAmong(given.map(({ id }) => id))
  const doubtful = given.filter(({ id }) => !there.has(id)).slice(0, MOST_DOUBTS)
  for (const resource of doubtful) {
    const isThere = async () => (await stored.idsAmong([resource.id])).has(resource.id)
    if ((await orUnknown(isUnchanged(examined, resource))) === true && !(await isThere())) return resource.id
  }
  return undefined
}

/** Whether the service does not give, and does not find, something that is stored. */
async function hasMore(
  examined: ExaminedType,
  stored: StoredDocuments,
  documents: readonly StoredDocument[],
): Promise<boolean> {
  const { walk } = examined
  const given = new Set<unknown>(walk.resources.map(({ id }) => id))
  const doubtful = documents.filter(({ id }) => !given.has(id)).slice(0, MOST_SEARCHES)
  if (doubtful.length === 0) return false
  const gives = walk.isWhole ? await givenNow(examined) : await foundById(examined)
  for (const document of doubtful) {
    const isGiven = await orUnknown(gives(String(document.id)))
    if (isGiven === false && (await stored.has(document))) return true
  }
  return false
}

/** Tells whether the service gives a resource; `undefined`: it cannot be told. */
type Telling = (id: string) => Promise<boolean | undefined>

async function givenNow({ probe }: ExaminedType): Promise<Telling> {
  const again = await orUnknown(walkPages(probe))
  const ids = new Set(again?.resources.map(({ id }) => id))
  return async (id) => (again?.isWhole === true ? ids.has(id) : undefined)
}

/** Only a service that finds by `_id` what it gives can say that it would not give something. */
async function foundById(examined: ExaminedType): Promise<Telling> {
  const { probe } = examined
  const [resource] = askable(examined)
  const isAble = resource !== undefined && (await orUnknown(finds(probe, { _id: resource.id }, resource.id)))
  return async (id) => (isAble === true ? finds(probe, { _id: id }, id) : undefined)
}

/** The checks of searches say when one of them fails. */
async function orUnknown<T>(search: Promise<T>): Promise<T | undefined> {
  try {
    return await search
  } catch (error) {
    if (error instanceof SearchFailure) return undefined
    throw error
  }
}

type ByOrigin = Readonly<Record<ScanOrigin, Remark>>

const OTHER_CONTENT: ByOrigin = {
  collections: {
    level: 'error',
    what: 'The collection that the option collections names has documents that are no plain FHIR JSON of the type.',
    cost: 'Exports leave them out.',
    remedy:
      'Let the option collections name no collection for this type, or only one with nothing else in it.',
  },
  exportQuery: {
    level: 'error',
    what: 'Its exportQuery finds documents that are no plain FHIR JSON of the type.',
    cost: 'Exports leave them out.',
    remedy:
      'Let its filter find documents of the type only, and leave exportQuery away where they are kept otherwise.',
  },
}

const ELSEWHERE: ByOrigin = {
  collections: {
    level: 'error',
    what: 'The collection that the option collections names lacks a resource that the service gives.',
    cost: 'Exports lack it.',
    remedy:
      'Let the option collections name the collection that the service reads, in the database of the option mongodb.',
  },
  exportQuery: {
    level: 'error',
    what: 'The collection that its exportQuery names lacks a resource that its search gives.',
    cost: 'Exports lack it.',
    remedy: 'Let it name the collection that search reads, in the database of the option mongodb.',
  },
}

const TOO_NARROW: Remark = {
  level: 'error',
  what: 'The filter of its exportQuery leaves out a resource that its search gives.',
  cost: 'Exports lack it.',
  remedy: 'Build the filter of both in one place, with the same rules for the caller.',
}

const TOO_WIDE: ByOrigin = {
  collections: {
    level: 'warning',
    what: 'The collection that the option collections names has resources that the service does not give this caller.',
    cost: 'Exports read past the service: they give to every caller what it may hide from some.',
    remedy:
      'Let the option collections name no collection for a type whose service has rules for each user; exportQuery can have them.',
  },
  exportQuery: {
    level: 'error',
    what: 'Its exportQuery finds resources that its search does not give this caller.',
    cost: 'Exports have them: a caller gets what it may not read.',
    remedy: 'Build the filter of both in one place, with the same rules for the caller.',
  },
}
