import { compartmentOf } from '../fhir/patient-compartment.js'
import type { Db } from './database.js'
import type { HostCheck, PlacedRemark } from './host-check.js'
import { allOf } from './in-turns.js'
import { createIndexCommand, type IndexKey, indexesOf, servesField } from './index-list.js'
import { profilesOf, type ServedType } from './profiles.js'

/** How many documents are looked at to see what `_id` is. */
const SAMPLE = 20

/** The indexes on the collections of resources, where their names are known. */
export const resourceIndexes: HostCheck = {
  name: 'resource-indexes',
  area: 'indexes',
  async run({ host, instructions, database }) {
    if (database === undefined) return []
    const known = profilesOf(host, instructions.types).served.filter(({ collection }) => collection)
    const remarks = await allOf(known, instructions.atOnce, (served) => remarksOn(served, database.db))
    return remarks.flat()
  },
}

async function remarksOn(served: ServedType, db: Db): Promise<readonly PlacedRemark[]> {
  const { type, version, collection: name = '' } = served
  const place = { type, version }
  const indexes = await indexesOf(db, name)
  if (indexes === undefined) return []
  const collection = db.collection(name)
  const count = await collection.estimatedDocumentCount()
  const idIsKey = await hasIdAsKey(db, name)
  const missing = neededFor(served).filter(({ field }) => {
    return !servesField(indexes, field) && !(field === 'id' && idIsKey)
  })
  if (missing.length === 0) return [{ level: 'ok', what: 'All indexes are there.', ...place }]
  return missing.map(({ field, cost }) => {
    const key: IndexKey = field === 'id' ? { id: 1 } : { [field]: 1, _id: 1 }
    return {
      level: 'warning',
      what: `No index begins with ${field}.`,
      detail: `${name}, ${count} documents`,
      cost,
      remedy: 'Create it; with --print-indexes the command is printed.',
      commands: [createIndexCommand(name, key)],
      ...place,
    }
  })
}

interface NeededIndex {
  readonly field: string
  readonly cost: string
}

/** The fields by which exports search resources of a type. */
function neededFor({ type, version }: ServedType): readonly NeededIndex[] {
  const references = new Set(
    compartmentOf(version)
      .paths(type)
      .map(({ path }) => `${path.join('.')}.reference`),
  )
  return [
    { field: 'id', cost: 'Each look-up of a single resource reads the whole collection.' },
    { field: 'meta.lastUpdated', cost: 'Each search with _since reads the whole collection.' },
    ...[...references].map((field) => ({
      field,
      cost: 'Each search by patient reads the whole collection: a group of 1,000 patients does so 1,000 times.',
    })),
  ]
}

/** Whether the key of a document is the id of its resource, which then needs no index of its own. */
async function hasIdAsKey(db: Db, name: string): Promise<boolean> {
  const documents = await db
    .collection<{ _id: unknown; id?: unknown }>(name)
    .find({}, { projection: { id: 1 }, limit: SAMPLE })
    .toArray()
  return documents.every(({ _id, id }) => _id === id)
}
