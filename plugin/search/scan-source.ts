import type { Db } from 'mongodb'
import { type Batches, CursorBatches, type ScanQuery, type ScanReading } from './scan-batches.js'
import { CommandBatches } from './scan-command.js'

/** Documents in a batch, unless options say otherwise; large ones are fewer. */
const BATCH_SIZE = 4000

/** Opens queries on a database, each in the fastest way that is safe there. */
export class BatchSource {
  #isRouter: Promise<boolean> | undefined

  constructor(
    private readonly db: Db,
    private readonly reading: ScanReading = { batchSize: BATCH_SIZE },
  ) {}

  open(name: string, query: ScanQuery): Batches {
    return new OpenedBatches(async () =>
      (await this.#isOneServer())
        ? new CommandBatches(this.db, name, query, this.reading)
        : new CursorBatches(this.db, name, query, this.reading),
    )
  }

  /** Whether all commands meet the same server: the primary, or one that stands alone. */
  async #isOneServer(): Promise<boolean> {
    const { mode } = this.db.readPreference
    if (mode !== 'primary' || this.reading.readPreference !== undefined) return false
    this.#isRouter ??= this.db
      .command({ hello: 1 })
      .then(({ msg }) => msg === 'isdbgrid')
      .catch((error: unknown) => {
        this.#isRouter = undefined
        throw error
      })
    // A sharded cluster may have several routers.
    return !(await this.#isRouter)
  }
}

/** Opens when it is first asked for documents. */
class OpenedBatches implements Batches {
  #opened: Promise<Batches> | undefined

  constructor(private readonly open: () => Promise<Batches>) {}

  async next() {
    this.#opened ??= this.open()
    return (await this.#opened).next()
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined)
    await opened?.close()
  }
}
