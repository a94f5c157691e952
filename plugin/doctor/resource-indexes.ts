import type { ReadingWay } from '../jobs/reading-way.js'
import { ScanCollection } from '../search/scan-collection.js'
import { patientFields } from '../search/scan-patient-filter.js'
import type { Db } from './database.js'
import type { Remark } from './finding.js'
import { createIndexCommand, type IndexKey } from './index-list.js'
import type { ServedType } from './profiles.js'

/** How many documents are looked at to see what `_id` is. */
const SAMPLE = 20

/**
 * The indexes by which exports find resources of a type in its collection.
 *
 * @param way how exports really read the type
 */
export async function resourceIndexes(
  served: ServedType,
  { collection: name, way }: { readonly collection: string; readonly way: ReadingWay },
  db: Db,
): Promise<readonly Remark[]> {
  const [entry] = await db
    .listCollections({ name }, { nameOnly: true, authorizedCollections: true })
    .toArray()
  if (entry === undefined) return []
  if (entry.type === 'view') return [{ ...VIEW, detail: name }]
  const collection = db.collection(name)
  const count = await collection.estimatedDocumentCount()
  const needed = neededFor(served, {
    way,
    isSearched: way !== 'scan' || served.origin === 'collections',
    idIsKey: await hasIdAsKey(db, name),
  })
  const unindexed = await new ScanCollection(db, name).unindexed(needed.map(({ field }) => field))
  const missing = needed.filter(({ field }) => unindexed.includes(field))
  if (missing.length === 0) return [{ level: 'ok', what: 'All indexes are there.' }]
  return missing.map(({ field, cost }) => {
    const key: IndexKey = field === 'id' ? { id: 1 } : { [field]: 1, _id: 1 }
    return {
      level: 'warning',
      what: `No index begins with ${field}.`,
      detail: `${name}, ${count} documents`,
      cost,
      remedy:
        'Create it: `commands` has the command for mongosh (`npm run doctor -- --print-indexes` prints it).',
      commands: [createIndexCommand(name, key)],
    }
  })
}

interface NeededIndex {
  readonly field: string
  readonly cost: string
}

interface Use {
  readonly way: ReadingWay
  /** Whether exports search the type for other things than one resource. */
  readonly isSearched: boolean
  /** Whether the key of a document is the id of its resource, which then needs no index of its own for a search. */
  readonly idIsKey: boolean
}

function neededFor({ type, version }: ServedType, { way, isSearched, idIsKey }: Use): readonly NeededIndex[] {
  const byPatient = patientFields(type, version)
    .filter((field) => field !== 'id' || way === 'scan')
    .map((field) => ({ field, cost: way === 'scan' ? ALL_FOR_FEW : ALL_FOR_EACH }))
  const isIdNeeded = !idIsKey && byPatient.every(({ field }) => field !== 'id')
  return [
    ...(isIdNeeded
      ? [{ field: 'id', cost: 'Each look-up of a single resource reads the whole collection.' }]
      : []),
    ...(isSearched ? [{ field: 'meta.lastUpdated', cost: way === 'scan' ? SINCE_FILTERED : SINCE }] : []),
    ...byPatient,
  ]
}

const ALL_FOR_FEW =
  'Exports of groups and of named patients read the whole collection, however few they are for.'
const ALL_FOR_EACH =
  'Each search by patient reads the whole collection: a group of 1,000 patients does so 1,000 times.'
const SINCE = 'Each search with _since reads the whole collection.'
const SINCE_FILTERED = 'Each search for a _typeFilter with _since reads the whole collection.'

const VIEW: Remark = {
  level: 'error',
  what: 'What is named as its collection is a view.',
  cost: 'Exports of groups and of named patients fail, since a view has no indexes.',
  remedy: 'Name the collection, and let exportQuery have the filter of the view.',
}

/** Whether the key of a document is the id of its resource. */
async function hasIdAsKey(db: Db, name: string): Promise<boolean> {
  const documents = await db
    .collection<{ _id: unknown; id?: unknown }>(name)
    .find({}, { projection: { id: 1 }, limit: SAMPLE })
    .toArray()
  return documents.every(({ _id, id }) => _id === id)
}
