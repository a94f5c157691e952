import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { childEnvironment } from '../../config/child-environment.js'
import { NODE_FLAGS, programFile } from '../node-program.js'

const PROGRAM = programFile('server-process', import.meta.url)
/** How long a process may take to end in order, in ms. */
const STOP_LIMIT = 20_000

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChildOptions {
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  /** Where its log goes. */
  readonly logFile: string
  /** Told of the message of each log record. */
  onRecord(message: string, child: Child): void
}

/** One process of the server that is put to the test. */
export class Child {
  readonly name: string
  /** True from the moment it says so to its end. */
  isReady = false
  /** True from then on. */
  hasBeenReady = false
  /** Whether it was told to end, in whatever way. */
  isDoomed = false
  readonly exited: Promise<Exit>
  readonly #process: ChildProcess

  constructor({ name, environment, logFile, onRecord }: ChildOptions) {
    this.name = name
    this.#process = spawn(process.execPath, [...NODE_FLAGS, PROGRAM], {
      env: childEnvironment({ ...environment, LOG_LEVEL: 'info' }),
      // Its standard input is never written to: that it ends tells the child that its parent has gone.
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    const errors = this.#process.stderr as NodeJS.ReadableStream
    errors.pipe(createWriteStream(logFile))
    createInterface({ input: errors }).on('line', (line) => {
      const message = messageOf(line)
      if (message === 'process.ready' && !this.isDoomed) {
        this.isReady = true
        this.hasBeenReady = true
      }
      if (message !== undefined) onRecord(message, this)
    })
    this.exited = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        this.isReady = false
        resolve({ code, signal })
      })
    })
  }

  /** Ends it as a power failure would. */
  kill(): void {
    this.isDoomed = true
    this.isReady = false
    this.#process.kill('SIGKILL')
  }

  /** Ends it in order; by force, and `false`, when that takes too long. */
  async stop(): Promise<boolean> {
    this.isDoomed = true
    let inTime = true
    const limit = setTimeout(() => {
      inTime = false
      this.#process.kill('SIGKILL')
    }, STOP_LIMIT)
    this.#process.kill('SIGTERM')
    await this.exited
    clearTimeout(limit)
    return inTime
  }
}

function messageOf(line: string): string | undefined {
  try {
    return (JSON.parse(line) as { message?: string }).message
  } catch {
    return undefined
  }
}
