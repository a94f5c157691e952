import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import type { ScanRunner } from '../jobs/scan-order.js'
import { ScanThread, type ScanThreadData } from './scan-thread.js'

export interface ScanThreadsOptions {
  /** How many threads there are at most. */
  readonly count: number
  readonly data: ScanThreadData
  /** For a host that can have none, or whose threads cannot load the program, such as one that is packed into one file. */
  readonly otherwise: ScanRunner
  readonly logger: Pick<Logger, 'warn'>
}

/** Carries orders out in threads, each by the one with the least to do. A thread begins when it is needed, and stays. */
export function scanThreads(options: ScanThreadsOptions): ScanRunner {
  const threads = new Threads(options)
  return {
    async *parts(order, batches, control) {
      const runner = (await threads.usable()) ?? options.otherwise
      yield* runner.parts(order, batches, control)
    },
    prepare: () => void threads.leastBusy(),
    close: () => threads.close(),
  }
}

class Threads {
  #threads: readonly ScanThread[] = []
  #isUsable = true

  constructor(private readonly options: ScanThreadsOptions) {}

  /** `undefined` when there can be none. */
  leastBusy(): ScanThread | undefined {
    if (!this.#isUsable) return undefined
    this.#threads = this.#threads.filter(({ isEnded }) => !isEnded)
    const idle = this.#threads.find(({ scans }) => scans === 0)
    if (idle !== undefined) return idle
    if (this.#threads.length < this.options.count) this.#begin()
    const [first, ...others] = this.#threads
    return others.reduce((least, thread) => (thread.scans < (least?.scans ?? 0) ? thread : least), first)
  }

  async usable(): Promise<ScanThread | undefined> {
    const thread = this.leastBusy()
    if (thread === undefined || (await thread.ready)) return thread
    this.#giveUp(thread.error)
    return undefined
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }

  #begin(): void {
    try {
      this.#threads = [...this.#threads, new ScanThread(this.options.data)]
    } catch (error) {
      this.#giveUp(error)
    }
  }

  #giveUp(error: unknown): void {
    if (this.#isUsable) this.options.logger.warn('scan-thread.unavailable', { error: describeError(error) })
    this.#isUsable = false
  }
}
