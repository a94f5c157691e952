import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MongoClientOptions } from 'mongodb'
import type { Part } from '../jobs/output.js'
import type { PatientBatches, ScanControl, ScanOrder } from '../jobs/scan-order.js'
import type { ScanReading } from '../search/scan-batches.js'
import { sentOrder } from './scan-messages.js'
import { ThreadScan } from './thread-scan.js'

/** What a thread needs to know in order to scan. */
export interface ScanThreadData {
  readonly uri: string
  readonly database: string
  /** Besides what the URI says. */
  readonly connection: MongoClientOptions
  readonly reading: ScanReading
}

const THIS = fileURLToPath(import.meta.url)
const PROGRAM = new URL(`./scan-thread-program${extname(THIS)}`, import.meta.url)
/**
 * Objects die young here, and what is outside of the heap goes with them: with more room for them much more memory would
 * wait to be collected.
 */
const LIMITS = { maxYoungGenerationSizeMb: 4 }
/** How long a thread may take to end, in ms. */
const LONGEST_END = 2000

/**
 * A thread that reads collections and makes NDJSON of them, so that the event loop of the host is free, and the collector
 * of this thread, with the large heap of a host, has nothing of it.
 */
export class ScanThread {
  /** Whether its program could be loaded. */
  readonly ready: Promise<boolean>
  readonly #worker: Worker
  #isEnded = false
  #error: Error | undefined
  #scans = 0

  constructor(data: ScanThreadData) {
    this.#worker = new Worker(PROGRAM, { workerData: data, resourceLimits: LIMITS })
    // Each scan that is under way keeps the process alive by its port.
    this.#worker.unref()
    this.#worker.once('error', (error) => {
      this.#error = error instanceof Error ? error : new Error(String(error))
    })
    this.ready = new Promise((resolve) => {
      this.#worker.once('message', () => resolve(true))
      this.#worker.once('exit', () => {
        this.#isEnded = true
        resolve(false)
      })
    })
  }

  /** How many scans are under way. */
  get scans(): number {
    return this.#scans
  }

  /** Whether it scans no more. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Why it has ended, if not because it was told to. */
  get error(): Error | undefined {
    return this.#error
  }

  /** As for `ScanRunner`. */
  async *parts(
    order: ScanOrder,
    batches: PatientBatches | undefined,
    control: ScanControl,
  ): AsyncGenerator<Part> {
    const { port1, port2 } = new MessageChannel()
    const scan = new ThreadScan(port1, batches, control, () => this.#error)
    this.#scans += 1
    try {
      this.#worker.postMessage({ order: sentOrder(order), port: port2 }, [port2])
      yield* scan.parts()
    } finally {
      this.#scans -= 1
      scan.close()
      await batches?.return?.()
    }
  }

  async close(): Promise<void> {
    if (this.#isEnded) return
    const exited = once(this.#worker, 'exit')
    this.#worker.postMessage(undefined)
    const late = setTimeout(() => void this.#worker.terminate(), LONGEST_END)
    await exited
    clearTimeout(late)
  }
}
