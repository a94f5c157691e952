import { setMaxListeners } from 'node:events'
import type { Logger } from 'winston'
import { describeError, ExportError } from '../errors.js'
import type { ExportJobs, HeldTask } from './export-jobs.js'
import { LostTask } from './part-writer.js'

export interface HoldDependencies {
  readonly jobs: ExportJobs
  readonly logger: Logger
  /** How often the lease of a task is renewed, in ms; also how soon it is noticed that it was lost. */
  readonly heartbeat: number
  /** How long a task may go without reading or writing anything, in ms. */
  readonly stallTimeout: number
}

/** The hold of a runner on its task. */
export interface TaskHold {
  /**
   * Aborted with `LostTask` when the task is somebody else's, with an `ExportError` when it stands still, and with
   * the reason of the worker when that stops.
   */
  readonly signal: AbortSignal
  /** To be called whenever something was read or written. */
  moved(): void
  /** How often in a row the task has failed, or ended its worker. */
  readonly failures: number
  /** To be called after each checkpoint: failures before it do not count any more. */
  committed(): void
  release(): Promise<void>
}

/**
 * Looks after the hold on a task: renews it while the task moves on.
 *
 * @param stopping of the worker
 */
export function holdTask(
  task: HeldTask,
  { jobs, logger, heartbeat, stallTimeout }: HoldDependencies,
  stopping: AbortSignal,
): TaskHold {
  const ended = new AbortController()
  // Whatever is under way listens to it, and stops when it is done: many are no leak.
  setMaxListeners(0, ended.signal)
  // Not `AbortSignal.any`: what it makes stays with a signal that lives as long as the worker.
  const stop = () => ended.abort(stopping.reason)
  stopping.addEventListener('abort', stop, { once: true })
  if (stopping.aborted) stop()
  let looking: Promise<void> | undefined
  let lastMove = performance.now()
  let { failures } = task
  const look = async () => {
    if (!(await jobs.renew(task))) ended.abort(new LostTask())
  }
  const timer = setInterval(() => {
    if (performance.now() - lastMove > stallTimeout) ended.abort(stalled(stallTimeout))
    // While the database is gone looks take long, and would pile up.
    looking ??= look()
      .catch((error: unknown) => {
        logger.warn('task.heartbeat-failed', { job: task.job, task: task._id, error: describeError(error) })
      })
      .finally(() => {
        looking = undefined
      })
  }, heartbeat)
  return {
    signal: ended.signal,
    moved: () => {
      lastMove = performance.now()
    },
    get failures() {
      return failures
    },
    committed: () => {
      failures = 0
    },
    release: async () => {
      clearInterval(timer)
      stopping.removeEventListener('abort', stop)
      await looking
    },
  }
}

/** What may pass: the task is tried again, but not without end. */
function stalled(stallTimeout: number): ExportError {
  const text = `Nothing was read or written for ${stallTimeout / 1000} seconds.`
  return new ExportError(503, text, { code: 'timeout', retryAfter: 10 })
}
