import type { ClientSession, Db, Document } from 'mongodb'
import { type Batch, type Batches, endWork, type ScanQuery, type ScanReading } from './scan-batches.js'
import { BSON, endOfDocument, endOfName, endOfValue } from './scan-bson.js'

/** Bytes of the documents in a batch, about. */
const BATCH_BYTES = 1024 * 1024
/** Documents asked for while it is not known how large they are. */
const FIRST_BATCH = 100
/** How many times as many documents may be asked for as the time before. */
const GROWTH = 8

/**
 * Fetches by commands whose answers stay raw as a whole: cursors of the driver make several objects of each document,
 * which takes longer than all the rest. The answers have to come from one and the same server, which nobody sees to here.
 */
export class CommandBatches implements Batches {
  readonly #session: ClientSession
  #size: number
  /** Of the query on the server; 0 when it has no more, or none as yet. */
  #cursor = 0n
  #coming: Promise<RawBatch> | undefined
  #isBegun = false
  #isAsking = false
  #isClosed = false

  constructor(
    private readonly db: Db,
    private readonly name: string,
    private readonly query: ScanQuery,
    private readonly reading: ScanReading,
  ) {
    // The server gives more of a query only to the session that it was made in.
    this.#session = db.client.startSession()
    this.#size = Math.min(FIRST_BATCH, reading.batchSize)
  }

  async next(): Promise<Batch | undefined> {
    if (!this.#isBegun) {
      this.#isBegun = true
      this.#coming = this.#ask(this.#find())
    }
    const batch = await this.#coming
    this.#coming = undefined
    if (this.#cursor !== 0n && !this.#isClosed) {
      this.#coming = this.#ask({ getMore: this.#cursor, collection: this.name, batchSize: this.#size })
      // Whoever asks for it is told; nobody may be left to ask.
      this.#coming.catch(() => undefined)
    }
    return batch
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#isAsking && this.#cursor === 0n) await endWork(this.db, this.#session)
    await this.#end()
    await this.#session.endSession()
  }

  #find(): Document {
    const { filter, options } = this.query
    const { maxTimeMS } = this.reading
    const level = this.db.readConcern?.level
    return {
      ...{ find: this.name, filter, ...options, batchSize: this.#size },
      ...(maxTimeMS === undefined ? {} : { maxTimeMS }),
      ...(level === undefined ? {} : { readConcern: { level } }),
    }
  }

  async #ask(command: Document): Promise<RawBatch> {
    this.#isAsking = true
    const answer = await this.db.command(command, { raw: true, session: this.#session }).finally(() => {
      this.#isAsking = false
    })
    const { id, batch } = readAnswer(answer['cursor'] as Buffer)
    this.#cursor = id
    if (this.#isClosed) await this.#end()
    const size = Math.floor((BATCH_BYTES * this.#size) / batch.length)
    this.#size = Math.max(1, Math.min(size, this.#size * GROWTH, this.reading.batchSize))
    return new RawBatch(batch)
  }

  async #end(): Promise<void> {
    const cursor = this.#cursor
    this.#cursor = 0n
    if (cursor === 0n) return
    // One that cannot be ended is ended by the server, when its session has not been used for half an hour.
    await this.db.command({ killCursors: this.name, cursors: [cursor] }).catch(() => undefined)
  }
}

/** @param bytes the field `cursor` of the answer to `find` or `getMore` */
function readAnswer(bytes: Buffer): { readonly id: bigint; readonly batch: Buffer } {
  let id: bigint | undefined
  let batch: Buffer | undefined
  const end = bytes.length - 1
  for (let next = 4; next < end; ) {
    const type = bytes[next] as number
    const value = endOfName(bytes, next + 1) + 1
    const after = endOfValue(bytes, type, value, end)
    if (after === -1) break
    if (type === BSON.array) batch = bytes.subarray(value, after)
    if (type === BSON.int64) id = bytes.readBigInt64LE(value)
    next = after
  }
  if (id === undefined || batch === undefined) throw corrupt()
  return { id, batch }
}

/** The documents of an array of BSON. */
class RawBatch implements Batch {
  #before = 4
  #at = 4

  constructor(private readonly array: Buffer) {}

  next(): Buffer | undefined {
    const { array } = this
    const end = array.length - 1
    if (this.#at >= end) return undefined
    // A name is a number here, so it has a byte at least.
    const start = endOfName(array, this.#at + 2) + 1
    const last = endOfDocument(array, start, end)
    if (last === -1) throw corrupt()
    this.#before = this.#at
    this.#at = last + 1
    return array.subarray(start, last + 1)
  }

  back(): void {
    this.#at = this.#before
  }
}

function corrupt(): Error {
  return new Error('The database has answered with bytes that are no documents.')
}
