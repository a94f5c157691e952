import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from '../../config/child-environment.js'

const PROGRAM = fileURLToPath(new URL('../worker.ts', import.meta.url))
/** As `npm run worker` has them: without a limit, a machine with much memory makes Node collect garbage late. */
const NODE_FLAGS = ['--max-old-space-size=512']

/** A worker in a process of its own, as `npm run worker` starts it. */
export interface WorkerProcess {
  /** Ends the worker; gives its largest resident set size, in bytes. */
  stop(): Promise<number>
}

export async function startWorker(environment: Readonly<Record<string, string>>): Promise<WorkerProcess> {
  const child: ChildProcess = spawn(process.execPath, [...NODE_FLAGS, '--import', 'tsx', PROGRAM], {
    env: childEnvironment({ ...environment, LOG_LEVEL: 'info' }),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const records: Record<string, unknown>[] = []
  const log = createInterface({ input: child.stderr as NodeJS.ReadableStream })
  const started = new Promise<void>((resolve, reject) => {
    log.on('line', (line) => {
      const record = readRecord(line)
      // Only what is looked for is kept, since a long export logs much.
      if (record['message'] === 'worker.started') resolve()
      if (record['message'] === 'worker.stopped') records.push(record)
    })
    child.once('exit', (code) => reject(new Error(`The worker ended with exit code ${code}.`)))
  })
  await started
  return {
    async stop() {
      const closed = once(log, 'close')
      child.kill('SIGTERM')
      await closed
      return Number(records[0]?.['maxRssBytes'])
    },
  }
}

function readRecord(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return {}
  }
}
