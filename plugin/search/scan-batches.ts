import type { ClientSession, Db, Document, FindCursor, FindOptions, ReadPreferenceLike } from 'mongodb'

/** What is read of a collection: a filter, and which way the database takes. */
export interface ScanQuery {
  readonly filter: Document
  readonly options: Pick<FindOptions, 'hint' | 'min' | 'max' | 'sort' | 'allowDiskUse'>
}

/** How the database is read. */
export interface ScanReading {
  /** Which members of a replica set are asked; default: the primary. */
  readonly readPreference?: ReadPreferenceLike | undefined
  /** How long the database may work on one query, in ms; default: without limit. */
  readonly maxTimeMS?: number | undefined
  /** Documents in a batch at most. */
  readonly batchSize: number
}

/** Some documents as raw BSON. Their bytes are never used again for others. */
export interface Batch {
  /** The next document; `undefined` after the last. */
  next(): Buffer | undefined
  /** Hands out the last document once more. */
  back(): void
}

/** The documents of a query, batch after batch; the next one is on its way while one is worked on. */
export interface Batches {
  /** `undefined` when there are no more. */
  next(): Promise<Batch | undefined>
  /** Ends the query, also on the server. */
  close(): Promise<void>
}

/** Documents in a batch: how many cannot be changed when it is known how large they are. */
const MOST_AT_ONCE = 500

/** Fetches through a cursor of the driver, which finds the server again that the query runs on. */
export class CursorBatches implements Batches {
  readonly #session: ClientSession
  #cursor: FindCursor<Buffer> | undefined
  #coming: Promise<boolean> | undefined
  #isAsking = false

  constructor(
    private readonly db: Db,
    private readonly name: string,
    private readonly query: ScanQuery,
    private readonly reading: ScanReading,
  ) {
    this.#session = db.client.startSession({ causalConsistency: true })
  }

  async next(): Promise<Batch | undefined> {
    const cursor = this.#cursor ?? (await this.#open())
    this.#cursor = cursor
    if (!(await (this.#coming ?? this.#ask(cursor)))) return undefined
    const documents = cursor.readBufferedDocuments()
    this.#coming = this.#ask(cursor)
    // Whoever asks for it is told; nobody may be left to ask.
    this.#coming.catch(() => undefined)
    return new ListBatch(documents)
  }

  async close(): Promise<void> {
    await this.#cursor?.close()
    if (this.#isAsking) await endWork(this.db, this.#session)
    await this.#session.endSession()
  }

  async #ask(cursor: FindCursor<Buffer>): Promise<boolean> {
    this.#isAsking = true
    try {
      return await cursor.hasNext()
    } finally {
      this.#isAsking = false
    }
  }

  async #open(): Promise<FindCursor<Buffer>> {
    const session = this.#session
    // From here on the session knows what the primary has, and a secondary that does not have it yet waits until it has:
    // what is older than the export must not be missed because it is on its way.
    await this.db.command({ ping: 1 }, { session, readPreference: 'primary' })
    const { readPreference, maxTimeMS, batchSize } = this.reading
    const cursor = this.db.collection(this.name).find(this.query.filter, {
      ...{ ...this.query.options, raw: true, batchSize: Math.min(batchSize, MOST_AT_ONCE), session },
      ...(readPreference === undefined ? {} : { readPreference }),
      ...(maxTimeMS === undefined ? {} : { maxTimeMS }),
    })
    return cursor as unknown as FindCursor<Buffer>
  }
}

/** Ends what a session does on the server: a query that has not answered yet has no cursor that could be ended. */
export async function endWork(db: Db, { id }: ClientSession): Promise<void> {
  // What cannot be ended ends by itself some time.
  await db.command({ killSessions: [id] }).catch(() => undefined)
}

class ListBatch implements Batch {
  #index = 0

  constructor(private readonly documents: readonly Buffer[]) {}

  next(): Buffer | undefined {
    return this.documents[this.#index++]
  }

  back(): void {
    this.#index -= 1
  }
}
