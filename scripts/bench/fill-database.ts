import type { FhirResource } from 'fhir/r4.js'
import { MongoClient } from 'mongodb'
import { collectionName, VERSION } from '../host/index.js'
import { population } from '../population/index.js'

const BATCH = 1000

/** Fills a database, emptied first, with generated resources, up to exactly this many. */
export async function fillDatabase(
  uri: string,
  name: string,
  resources: number,
  signal?: AbortSignal,
): Promise<void> {
  // More patients than can be needed; the generator stops when it is no longer asked.
  await fillWith(uri, name, firstOf(resources, population({ patients: resources })), signal)
}

/** Fills a database, emptied first, with these resources. */
export async function fillWith(
  uri: string,
  name: string,
  resources: Iterable<FhirResource>,
  signal?: AbortSignal,
): Promise<void> {
  const client = await MongoClient.connect(uri)
  const db = client.db(name)
  try {
    await db.dropDatabase()
    for (const [type, documents] of batches(resources)) {
      signal?.throwIfAborted()
      await db.collection(collectionName(type, VERSION)).insertMany([...documents], { ordered: false })
    }
  } finally {
    await client.close()
  }
}

function* firstOf<T>(count: number, items: Iterable<T>): Generator<T> {
  let taken = 0
  for (const item of items) {
    if (taken++ === count) return
    yield item
  }
}

function* batches(resources: Iterable<FhirResource>): Generator<readonly [string, readonly object[]]> {
  const waiting = new Map<string, object[]>()
  for (const resource of resources) {
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
