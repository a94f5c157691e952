import type { Resource } from '../fhir/resource.js'
import type { Db } from './database.js'
import type { Remark } from './finding.js'
import type { ServedType } from './profiles.js'

const SAMPLE = 20
/** What makes a query by an id without an index end, in ms. */
const LONGEST_LOOKUP = 2000

interface StoredDocument {
  readonly _id: string
  readonly resourceType?: unknown
  readonly id?: unknown
}

/**
 * Whether the collection that the option `collections` names has what the service gives.
 *
 * @param given what the service has given to the caller
 */
export async function scannedContent(
  { type, collection: name }: ServedType,
  db: Db,
  given: readonly Resource[],
): Promise<readonly Remark[]> {
  if (name === undefined) return []
  const collection = db.collection<StoredDocument>(name)
  const documents = await collection
    .find({}, { projection: { resourceType: 1, id: 1 }, limit: SAMPLE, maxTimeMS: LONGEST_LOOKUP })
    .toArray()
  const others = documents.filter(({ resourceType, id }) => resourceType !== type || typeof id !== 'string')
  if (others.length > 0)
    return [{ ...OTHER_CONTENT, detail: `${name}, ${others.length} of ${documents.length}` }]
  const detail = name
  if (documents.length > 0 && given.length === 0) return [{ ...HIDDEN, detail }]
  const [first] = given.flatMap(({ id }) => id ?? [])
  if (first === undefined) return []
  const options = { projection: { _id: 1 }, maxTimeMS: LONGEST_LOOKUP }
  const isThere =
    (await collection.findOne({ _id: first }, options)) ?? (await collection.findOne({ id: first }, options))
  return [
    isThere === null
      ? { ...ELSEWHERE, detail }
      : { level: 'ok', what: 'The collection has what the service gives.' },
  ]
}

const OTHER_CONTENT: Remark = {
  level: 'error',
  what: 'The collection has documents that are no plain FHIR JSON of the type.',
  cost: 'System exports leave them out.',
  remedy: 'Let the option collections name no collection for this type, or only one with nothing else in it.',
}

const HIDDEN: Remark = {
  level: 'warning',
  what: 'The service gives this caller nothing, while the collection has resources.',
  cost: 'System exports read past the service: they give to every caller what it may hide from some.',
  remedy: 'Let the option collections name no collection for a type whose service has rules for each user.',
}

const ELSEWHERE: Remark = {
  level: 'error',
  what: 'The collection lacks a resource that the service gives.',
  cost: 'System exports lack it.',
  remedy:
    'Let the option collections name the collection that the service reads, in the database of the option mongodb.',
}
