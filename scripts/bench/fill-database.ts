import { MongoClient } from 'mongodb'
import { collectionName, VERSION } from '../host/index.js'
import { population } from '../population/index.js'

const BATCH = 1000

/** Fills a database, emptied first, with generated resources, up to exactly this many. */
export async function fillDatabase(uri: string, name: string, resources: number): Promise<void> {
  const client = await MongoClient.connect(uri)
  const db = client.db(name)
  try {
    await db.dropDatabase()
    for (const [type, documents] of batches(resources)) {
      await db.collection(collectionName(type, VERSION)).insertMany([...documents], { ordered: false })
    }
  } finally {
    await client.close()
  }
}

function* batches(resources: number): Generator<readonly [string, readonly object[]]> {
  const waiting = new Map<string, object[]>()
  let count = 0
  // More patients than can be needed; the generator stops when it is no longer asked.
  for (const resource of population({ patients: resources })) {
    if (count++ === resources) break
    const type = resource.resourceType
    const documents = waiting.get(type) ?? []
    documents.push({ ...resource, _id: resource.id })
    waiting.set(type, documents)
    if (documents.length < BATCH) continue
    yield [type, documents]
    waiting.delete(type)
  }
  yield* waiting
}
