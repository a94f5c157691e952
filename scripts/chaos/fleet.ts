import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeExit } from '../mongod/exit-guard.js'
import { Child } from './child.js'
import type { Findings } from './findings.js'
import type { Moment } from './plan.js'

export interface FleetOptions {
  readonly workers: number
  /** Settings that all processes have. */
  readonly environment: Readonly<Record<string, string>>
  /** Where the API process listens. */
  readonly port: number
  /** Folder of the log files. */
  readonly logs: string
  readonly findings: Findings
}

/** How long a process may take until it is ready, in ms; many start at once, on whatever machine this is. */
const START_LIMIT = 90_000
/** A database without a primary is a reason not to start; whoever watches over processes tries again. */
const MOST_FAILED_STARTS = 5

type Role = 'worker' | 'api'

/** All processes of the server: each that ends is followed by another one in its place. */
export class Fleet {
  /** How often a process ended before it was ready, without having been killed. */
  failedStarts = 0
  /** How often each message was logged, by all processes together. */
  readonly messages = new Map<string, number>()
  readonly #slots = new Map<string, Child>()
  /** Emits each log record; the prefix, since one of `error` is no error here. */
  readonly #records = new EventEmitter()
  readonly #release: () => void
  #started = 0
  #failedInARow = 0
  #isStopping = false

  constructor(private readonly options: FleetOptions) {
    this.#release = beforeExit(() => {
      for (const child of this.#slots.values()) child.kill()
    })
  }

  /** Starts all processes and waits until they are ready. */
  async start(): Promise<void> {
    this.#open('api', 'api')
    for (let number = 1; number <= this.options.workers; number++) this.#open(`worker ${number}`, 'worker')
    await this.whenWhole()
  }

  /** Waits until all processes are ready. */
  async whenWhole(): Promise<void> {
    const deadline = Date.now() + START_LIMIT
    while (![...this.#slots.values()].every(({ isReady }) => isReady)) {
      if (Date.now() > deadline) throw new Error('The processes of the server were not ready in time.')
      await delay(50)
    }
  }

  /** Kills a worker that is ready, as soon as there is one. */
  async killWorker(choice: number): Promise<string> {
    return this.#kill(async () => {
      const ready = [...this.#slots].filter(([slot, { isReady }]) => slot !== 'api' && isReady)
      return ready[choice % Math.max(1, ready.length)]?.[1]
    })
  }

  /** Kills the first worker that logs this, so many ms later; nobody, and `undefined`, when none does in time. */
  async killAt(moment: Moment, later: number, limit: number): Promise<string | undefined> {
    const signal = AbortSignal.timeout(limit)
    for (;;) {
      const child: Child | undefined = await once(this.#records, `log ${moment}`, { signal }).then(
        ([logged]) => logged as Child,
        () => undefined,
      )
      if (child === undefined) return undefined
      if (later > 0) await delay(later)
      if (child.isDoomed) continue
      child.kill()
      await child.exited
      return child.name
    }
  }

  async killApi(): Promise<string> {
    return this.#kill(async () => {
      const api = this.#slots.get('api')
      return api?.isReady ? api : undefined
    })
  }

  /** Ends all processes in order; one that does not end in time is a finding. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(
      [...this.#slots.values()].map(async (child) => {
        if (!(await child.stop())) this.options.findings.add(`${child.name} did not end when it was told to.`)
      }),
    )
    this.#release()
  }

  async #kill(find: () => Promise<Child | undefined>): Promise<string> {
    const deadline = Date.now() + START_LIMIT
    for (;;) {
      const child = await find()
      if (child !== undefined) {
        child.kill()
        await child.exited
        return child.name
      }
      if (Date.now() > deadline) throw new Error('There was no process to kill: none became ready.')
      await delay(50)
    }
  }

  #open(slot: string, role: Role): void {
    const { environment, port, logs } = this.options
    this.#started += 1
    const name = `${slot}, process ${this.#started}`
    const child = new Child({
      name,
      environment: { ...environment, ...(role === 'api' ? { EXPORT_WORKERS: '0', PORT: String(port) } : {}) },
      logFile: join(logs, `${String(this.#started).padStart(4, '0')}-${slot.replace(' ', '-')}.log`),
      onRecord: (message, from) => {
        this.messages.set(message, (this.messages.get(message) ?? 0) + 1)
        if (message === 'process.ready') this.#failedInARow = 0
        this.#records.emit(`log ${message}`, from)
      },
    })
    this.#slots.set(slot, child)
    this.#watch(child, slot, role)
  }

  #watch(child: Child, slot: string, role: Role): void {
    const late = setTimeout(() => {
      if (!child.hasBeenReady) this.options.findings.add(`${child.name} was not ready in time.`)
    }, START_LIMIT)
    void child.exited.then((exit) => {
      clearTimeout(late)
      if (!child.isDoomed) this.#ended(child, exit)
      if (!this.#isStopping) this.#open(slot, role)
    })
  }

  #ended({ name, hasBeenReady }: Child, exit: object): void {
    if (hasBeenReady) {
      this.options.findings.add(`${name} ended by itself; its log says why.`, exit)
      return
    }
    this.failedStarts += 1
    this.#failedInARow += 1
    if (this.#failedInARow === MOST_FAILED_STARTS) {
      this.options.findings.add(`${name} and those before it could not start; their logs say why.`, exit)
    }
  }
}
