import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { childEnvironment } from '../config/child-environment.js'
import { beforeExit } from './mongod/exit-guard.js'
import { NODE_FLAGS } from './node-program.js'

/** How long a program may take to end in order, in ms. */
const STOP_LIMIT = 20_000

/** What was logged with one event. */
export type LogRecord = Readonly<Record<string, unknown>>

export interface ChildProgramOptions {
  /** What it is called in errors. */
  readonly name: string
  /** Path of its file. */
  readonly program: string
  readonly arguments?: readonly string[]
  /** For Node, besides those of every program. */
  readonly flags?: readonly string[]
  /** Settings in the place of those of this process. */
  readonly environment: Readonly<Record<string, string>>
  /** The event that it logs when it is ready. */
  readonly ready: string
  /** The event that it logs at its end, if that is one in order. */
  readonly stopped: string
}

/** A program of this project in a process of its own. It never outlives this one. */
export interface ChildProgram {
  readonly pid: number
  /** What it has logged when it was ready. */
  readonly ready: LogRecord
  /** Resolves with how it has ended, in words; never rejects. */
  readonly ended: Promise<string>
  /**
   * Ends it in order, unless it has ended, and by force when that takes longer than 20 s; gives what it has logged at
   * its end in order, else nothing. A second call gives the same.
   */
  stop(): Promise<LogRecord>
}

/** @throws Error when it ends before it is ready */
export async function startProgram(options: ChildProgramOptions): Promise<ChildProgram> {
  const { name, program, flags = [], environment } = options
  const child: ChildProcess = spawn(
    process.execPath,
    [...NODE_FLAGS, ...flags, program, ...(options.arguments ?? [])],
    { env: childEnvironment({ ...environment, LOG_LEVEL: 'info' }), stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const release = beforeExit(() => child.kill('SIGKILL'))
  const log = createInterface({ input: child.stderr as NodeJS.ReadableStream })
  // From the beginning: one that ends by itself is not waited for later.
  const closed = once(log, 'close')
  const ended = once(child, 'exit').then(
    ([code, signal]) => {
      release()
      return `${name} ended with ${code === null ? String(signal) : `exit code ${code}`}.`
    },
    (error: unknown) => {
      release()
      return `${name} could not be started: ${String(error)}`
    },
  )
  let last: LogRecord = {}
  const ready = new Promise<LogRecord>((resolve, reject) => {
    log.on('line', (line) => {
      const record = readRecord(line)
      // Only what is looked for is kept, since a long export logs much.
      if (record['message'] === options.ready) resolve(record)
      if (record['message'] === options.stopped) last = record
    })
    ended.then((how) => reject(new Error(how)))
  })
  const end = async () => {
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
    child.kill('SIGTERM')
    await closed
    clearTimeout(force)
    return last
  }
  let stopped: Promise<LogRecord> | undefined
  return {
    ready: await ready,
    pid: child.pid as number,
    ended,
    stop() {
      stopped ??= end()
      return stopped
    },
  }
}

function readRecord(line: string): LogRecord {
  try {
    return JSON.parse(line) as LogRecord
  } catch {
    return {}
  }
}
