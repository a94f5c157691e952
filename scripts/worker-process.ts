import { startProgram } from './child-program.js'
import { programFile } from './node-program.js'

const PROGRAM = programFile('worker', import.meta.url)

/** A worker in a process of its own, as `npm run worker` starts it. */
export interface WorkerProcess {
  readonly pid: number
  /** Resolves with how it has ended, in words; never rejects. */
  readonly ended: Promise<string>
  /** Ends the worker; gives its largest resident set size, in bytes. A second call gives the same. */
  stop(): Promise<number>
}

/** @param flags for Node, besides those of every worker */
export async function startWorker(
  environment: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<WorkerProcess> {
  const { pid, ended, stop } = await startProgram({
    name: 'The worker',
    program: PROGRAM,
    ...{ environment, flags, ready: 'worker.started', stopped: 'worker.stopped' },
  })
  return { pid, ended, stop: async () => Number((await stop())['maxRssBytes']) }
}
