import { ALL, type Reading, readingDespite } from '../jobs/reading-way.js'
import { type CollectionQuery, obstacleIn } from '../search/scan-filter.js'
import { untilAborted } from '../until-aborted.js'
import type { Db } from './database.js'
import type { ExaminedType } from './examined-type.js'
import type { Remark } from './finding.js'
import { askQuery, knownCollection, QueryFailure, type Questioning } from './known-collection.js'
import { narrowedQuery } from './narrowed-query.js'
import { resourceIndexes } from './resource-indexes.js'
import { scannedContent } from './scanned-content.js'
import { SearchFailure } from './service-probe.js'
import { StoredDocuments } from './stored-documents.js'
import { unseen } from './unseen.js'

/** How long the database may work for each look at documents, in ms: without an index it would read all of them. */
const LONGEST_LOOK = 2000

/** What was seen of the collection of a type, where one is known. */
export interface CollectionExamination {
  /** How exports really read the type. */
  readonly reading: Reading
  readonly indexes: readonly Remark[]
  /** About how its collection is known. */
  readonly remarks: readonly Remark[]
  /** Looks whether the service gives what exports read there in its place; nothing when they do not. */
  content(examined: ExaminedType): Promise<readonly Remark[]>
}

export async function examineCollection(questioning: Questioning, db: Db): Promise<CollectionExamination> {
  const { way, reason, offer } = questioning.served
  const nothing = { reading: { way, reason }, indexes: [], remarks: [], content: async () => [] }
  let known: CollectionQuery | undefined
  try {
    known = await knownCollection(questioning)
  } catch (error) {
    if (error instanceof QueryFailure) return { ...nothing, remarks: [error.remark] }
    throw error
  }
  if (known === undefined) return nothing
  const query = known
  const obstacle = obstacleIn(query.filter)
  const reading = obstacle === undefined ? nothing.reading : readingDespite(obstacle, ALL, offer)
  const indexes = await lookAtIndexes(questioning, { collection: query.collection, way: reading.way }, db)
  if (obstacle !== undefined) return { ...nothing, reading, indexes, remarks: [hindered(obstacle)] }
  return { ...nothing, indexes, content: (examined) => lookAtContent(examined, questioning, query, db) }
}

async function lookAtIndexes(
  { served, host, instructions, signal }: Questioning,
  place: Parameters<typeof resourceIndexes>[1],
  db: Db,
): Promise<readonly Remark[]> {
  try {
    const limits = { signal, timeout: instructions.stepTimeout }
    return await untilAborted(() => resourceIndexes(served, place, db), limits)
  } catch (error) {
    signal.throwIfAborted()
    return [unseen(error, host, 'resource-indexes')]
  }
}

async function lookAtContent(
  examined: ExaminedType,
  questioning: Questioning,
  known: CollectionQuery,
  db: Db,
): Promise<readonly Remark[]> {
  const { served, host, instructions, signal } = questioning
  const maxTimeMS = Math.min(LONGEST_LOOK, instructions.stepTimeout)
  const open = (query: CollectionQuery) => new StoredDocuments(db, query, maxTimeMS)
  try {
    const remarks = await scannedContent(examined, known, open)
    const isTrouble = remarks.some(({ level }) => level !== 'ok')
    if (isTrouble || served.origin !== 'exportQuery') return remarks
    const ask = (query: string) => askQuery(questioning, query)
    return [...remarks, ...(await narrowedQuery(examined, known, ask, open))]
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof QueryFailure) return [error.remark]
    // The checks of searches say so.
    if (error instanceof SearchFailure) return []
    const { name, code, codeName } = error as Readonly<Record<string, unknown>>
    if (code === TIME_EXPIRED) return [{ ...TOO_SLOW, detail: known.collection }]
    const isRefused = name === 'MongoServerError' && code !== UNAUTHORIZED && served.origin === 'exportQuery'
    const remark = unseen(error, host, 'collection')
    return [isRefused ? { ...REFUSED, detail: String(codeName) } : remark]
  }
}

/** Codes of the database's errors. */
const TIME_EXPIRED = 50
const UNAUTHORIZED = 13

const TOO_SLOW: Remark = {
  level: 'warning',
  what: 'Whether its collection has what the service gives could not be seen in time.',
  cost: 'What may be wrong with it is not known.',
  remedy: 'Create the indexes that are missing, also one on id, and look again.',
}

const REFUSED: Remark = {
  level: 'error',
  what: 'The database refuses the query of its exportQuery.',
  cost: 'Exports of the type fail, and with them those of the whole system.',
  remedy: 'The log has the reason (doctor.check-failed). Let the filter be one that search runs.',
}

function hindered(obstacle: string): Remark {
  return {
    level: 'warning',
    what: `Its exportQuery gives a filter with ${obstacle}, which no scan can have.`,
    cost: 'The type is read through its service, which is slower.',
    remedy: 'Let the filter do without it, or leave exportQuery away.',
  }
}
