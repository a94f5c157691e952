import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import type { ExportRead } from '../../config/settings.js'
import type { BulkExportOptions, Manifest } from '../../plugin/index.js'
import { type BulkClient, bulkClient, type Level } from '../client/bulk-client.js'
import { startWorker, type WorkerProcess } from '../worker-process.js'
import { type ApiProcess, type LoopDelay, startApi } from './api-process.js'
import type { CpuUse } from './cpu-use.js'
import { cpuSecondsOf } from './process-times.js'

export interface SiteOptions {
  /** Tasks at the same time in the API process itself; default: 0. */
  readonly apiWorkers?: number
  readonly exportOptions?: Partial<BulkExportOptions>
  /** How the host is read at most; default: by scans. */
  readonly read?: ExportRead
}

interface SiteSurroundings extends SiteOptions {
  /** Settings of all its processes. */
  readonly environment: Readonly<Record<string, string>>
  readonly db: Db
  readonly signal: AbortSignal
}

/** A complete export. */
export interface Finished {
  readonly statusUrl: string
  readonly manifest: Manifest
  /** Of the output files. */
  readonly resources: number
  /** From the kick-off to the manifest. */
  readonly seconds: number
}

/** What was seen when a site was closed. */
export interface Closed {
  readonly loopDelay: LoopDelay
  /** Largest resident set size of each worker process, in bytes. */
  readonly workerRss: readonly number[]
}

/** How often the status of an export is asked for, in ms: a client in no hurry would measure its own patience. */
const POLL = 100

/** A FHIR server that exports: an API process, and worker processes as they are added. */
export class Site {
  readonly client: BulkClient
  readonly base: string
  readonly #workers: WorkerProcess[] = []
  /** Aborted when a process ends that should not, or the whole bench does. */
  readonly #broken = new AbortController()
  #closed: Promise<Closed> | undefined

  private constructor(
    private readonly surroundings: SiteSurroundings,
    private readonly api: ApiProcess,
  ) {
    this.base = api.base
    this.client = bulkClient(api.base)
    this.#watch(api)
    const { signal } = surroundings
    // As many as exports are waited for at the same time.
    setMaxListeners(0, signal, this.#broken.signal)
    signal.addEventListener('abort', () => this.#broken.abort(signal.reason), { once: true })
  }

  static async open(surroundings: SiteSurroundings): Promise<Site> {
    const { environment, apiWorkers = 0, exportOptions = {} } = surroundings
    const options = { withoutWorkers: 'wait' as const, minPollInterval: 0, ...exportOptions }
    return new Site(
      surroundings,
      await startApi({ ...environment, EXPORT_WORKERS: String(apiWorkers) }, options),
    )
  }

  /** Aborted when a process of the site has ended by itself. */
  get signal(): AbortSignal {
    return this.#broken.signal
  }

  /** @param tasks at the same time */
  async addWorker(tasks: number): Promise<WorkerProcess> {
    this.signal.throwIfAborted()
    const { environment } = this.surroundings
    const worker = await startWorker({ ...environment, EXPORT_WORKERS: String(tasks) })
    this.#workers.push(worker)
    this.#watch(worker)
    return worker
  }

  /** An export from its kick-off to its manifest; whoever asks for it removes it. */
  async export(level: Level, parameters: Readonly<Record<string, string>> = {}): Promise<Finished> {
    const started = performance.now()
    const statusUrl = await this.client.kickOff(level, parameters)
    const manifest = await this.manifest(statusUrl)
    const seconds = (performance.now() - started) / 1000
    return { statusUrl, manifest, resources: resourcesIn(manifest), seconds }
  }

  /** @throws Error when the export fails, or a process of the site has ended */
  async manifest(statusUrl: string): Promise<Manifest> {
    for (;;) {
      this.signal.throwIfAborted()
      const status = await this.client.status(statusUrl)
      if (status.state === 'complete') return status.manifest
      await this.pause(POLL)
    }
  }

  /**
   * Waits so many ms.
   *
   * @throws Error when a process of the site has ended meanwhile
   */
  async pause(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.signal })
    } catch (error) {
      // The error of the timer says only that it was aborted.
      this.signal.throwIfAborted()
      throw error
    }
  }

  /** What its processes and the database have used until now. */
  async cpu(): Promise<CpuUse> {
    const [api, mongod, ...workers] = await Promise.all([
      cpuSecondsOf(this.api.pid),
      this.#mongodSeconds(),
      ...this.#workers.map(({ pid }) => cpuSecondsOf(pid)),
    ])
    return { workers: workers.reduce((sum, seconds) => sum + seconds, 0), mongod, api }
  }

  /** Ends its processes. A second call gives the same. */
  close(): Promise<Closed> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<Closed> {
    const workerRss = await Promise.all(this.#workers.map((worker) => worker.stop()))
    return { loopDelay: await this.api.stop(), workerRss }
  }

  #watch({ ended }: Pick<ApiProcess, 'ended'>): void {
    void ended.then((how) => {
      if (this.#closed === undefined) this.#broken.abort(new Error(how))
    })
  }

  async #mongodSeconds(): Promise<number> {
    const status = await this.surroundings.db.admin().serverStatus()
    const { user_time_us: user, system_time_us: system } = (status['extra_info'] ?? {}) as Record<
      string,
      unknown
    >
    return (Number(user) + Number(system)) / 1e6
  }
}

export function resourcesIn({ output }: Manifest): number {
  return output.reduce((sum, { count }) => sum + count, 0)
}
