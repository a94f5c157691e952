import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Collection, Db } from 'mongodb'
import { collectionOf, documentOf, type ResourceDocument } from './collection.js'
import { ensureIndexes } from './indexes.js'
import { linesOf } from './ndjson-lines.js'

export interface LoadProgress {
  readonly file: string
  /** How many resources have been stored so far, of all files. */
  readonly resources: number
}

export interface LoadResult {
  readonly files: readonly string[]
  /** Lines read by resource type; an id that occurs twice counts twice and is stored once. */
  readonly resources: ReadonlyMap<string, number>
}

/** A batch is stored when it has so many resources or its lines so many bytes. */
const BATCH_RESOURCES = 1000
const BATCH_BYTES = 16 * 1024 * 1024
const RESOURCE_TYPE = /^[A-Z][A-Za-z]{1,63}$/
const RESOURCE_ID = /^[A-Za-z0-9.-]{1,64}$/

/**
 * Stores the resources of all `*.ndjson` and `*.ndjson.gz` files of a folder, each in the collection of its
 * `resourceType`, in place of one with the same id, and makes the indexes of these collections. Loading a
 * folder again changes nothing.
 *
 * @throws naming file and line for a line that is no resource; what came before it may have been stored
 */
export async function loadFolder(options: {
  readonly db: Db
  readonly directory: string
  readonly onProgress?: (progress: LoadProgress) => void
  /** The FHIR version of the resources; default: the one that the example host speaks. */
  readonly version?: string
}): Promise<LoadResult> {
  const { db, directory, onProgress, version } = options
  const files = (await readdir(directory)).filter((name) => /\.ndjson(\.gz)?$/.test(name)).sort()
  if (files.length === 0) throw new Error(`There are no *.ndjson or *.ndjson.gz files in ${directory}.`)
  const resources = new Map<string, number>()
  let total = 0
  const store = async (file: string, batch: Batch) => {
    await Promise.all(
      [...batch].map(([type, { byId }]) => replaceAll(collectionOf(db, type, version), [...byId.values()])),
    )
    for (const [type, { read }] of batch) {
      resources.set(type, (resources.get(type) ?? 0) + read)
      total += read
    }
    onProgress?.({ file, resources: total })
  }
  for (const file of files) {
    await forEachAhead(batchesOf(directory, file), (batch) => store(file, batch))
  }
  // Last, as an index is made faster than it is kept up to date.
  await ensureIndexes(db, [...resources.keys()], version)
  return { files, resources }
}

/** The documents of one type in a batch, by id: the last one of an id counts. */
interface Documents {
  readonly byId: Map<string, ResourceDocument>
  read: number
}

type Batch = ReadonlyMap<string, Documents>

/** Works on one item after the other, and has the next one made ready meanwhile. */
async function forEachAhead<T>(items: AsyncIterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  let working: Promise<void> | undefined
  for await (const item of items) {
    await working
    working = work(item)
    // It is the next `await` that reports an error; until then it must not end the process.
    working.catch(() => undefined)
  }
  await working
}

async function replaceAll(
  collection: Collection<ResourceDocument>,
  documents: readonly ResourceDocument[],
): Promise<void> {
  const operations = documents.map((document) => ({
    replaceOne: { filter: { _id: document._id }, replacement: document, upsert: true },
  }))
  await collection.bulkWrite(operations, { ordered: false })
}

async function* batchesOf(directory: string, file: string): AsyncGenerator<Batch> {
  let batch = new Map<string, Documents>()
  let lines = 0
  let bytes = 0
  for await (const { text, number } of linesOf(join(directory, file))) {
    const document = readLine(text, `${file}, line ${number}`)
    const documents = batch.get(document.resourceType) ?? { byId: new Map(), read: 0 }
    documents.byId.set(document._id, document)
    documents.read++
    batch.set(document.resourceType, documents)
    lines++
    bytes += text.length
    if (lines >= BATCH_RESOURCES || bytes >= BATCH_BYTES) {
      yield batch
      batch = new Map()
      lines = 0
      bytes = 0
    }
  }
  if (lines > 0) yield batch
}

function readLine(text: string, where: string): ResourceDocument {
  let resource: unknown
  try {
    resource = JSON.parse(text)
  } catch (cause) {
    // The cause quotes the line, which may be about a patient.
    throw new Error(`${where}: not JSON.`, { cause })
  }
  const { resourceType, id } = (resource ?? {}) as Record<string, unknown>
  if (typeof resourceType !== 'string' || !RESOURCE_TYPE.test(resourceType)) {
    throw new Error(`${where}: no FHIR resource, as it has no resourceType.`)
  }
  if (typeof id !== 'string' || !RESOURCE_ID.test(id)) {
    throw new Error(`${where}: the ${resourceType} has no id that FHIR allows.`)
  }
  return documentOf({ ...(resource as object), resourceType, id })
}
