import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Db } from 'mongodb'
import { VERSION } from '../host/index.js'
import { LineSum } from './line-sum.js'

/** How much is collected before it is written, in bytes: as the export does. */
const WRITE_SIZE = 256 * 1024

/** Reads all documents of all types as the bytes that they are, and does nothing with them; gives how many. */
export async function drain(db: Db): Promise<number> {
  let documents = 0
  for (const type of await typesIn(db)) {
    const cursor = db.collection(collectionOf(type)).find({}, { raw: true })
    while (await cursor.hasNext()) documents += cursor.readBufferedDocuments().length
  }
  return documents
}

/** Reads all resources as objects and writes them with `JSON.stringify`, a file for each type; gives how many. */
export async function stringify(db: Db, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true })
  let resources = 0
  for (const type of await typesIn(db)) {
    const cursor = db.collection(collectionOf(type)).find({}, { projection: { _id: 0 } })
    const chunks = async function* () {
      let collected = ''
      while (await cursor.hasNext()) {
        for (const resource of cursor.readBufferedDocuments()) {
          collected += `${JSON.stringify(resource)}\n`
          resources += 1
          if (collected.length < WRITE_SIZE) continue
          yield Buffer.from(collected)
          collected = ''
        }
      }
      yield Buffer.from(collected)
    }
    await pipeline(chunks, createWriteStream(fileOf(folder, type)))
  }
  return resources
}

/** Has what `stringify` has written flushed, which would otherwise happen while the next one is measured. */
export async function flushStringified(db: Db, folder: string): Promise<void> {
  for (const type of await typesIn(db)) {
    const file = await open(fileOf(folder, type), 'r+')
    await file.sync().finally(() => file.close())
  }
}

/** What `stringify` has written, by type. */
export async function stringifiedLines(db: Db, folder: string): Promise<ReadonlyMap<string, LineSum>> {
  const sums = new Map<string, LineSum>()
  for (const type of await typesIn(db)) {
    const sum = new LineSum()
    await sum.add(createReadStream(fileOf(folder, type)))
    sums.set(type, sum)
  }
  return sums
}

async function typesIn(db: Db): Promise<readonly string[]> {
  const ending = `_${VERSION}`
  const collections = await db.listCollections({}, { nameOnly: true }).toArray()
  const types = collections.filter(({ name }) => /^[A-Z]/.test(name) && name.endsWith(ending))
  const filled: string[] = []
  for (const { name } of types) {
    if (await db.collection(name).findOne({}, { projection: { _id: 1 } })) {
      filled.push(name.slice(0, -ending.length))
    }
  }
  return filled.sort()
}

function collectionOf(type: string): string {
  return `${type}_${VERSION}`
}

function fileOf(folder: string, type: string): string {
  return join(folder, `${type}.ndjson`)
}
