import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import type { ExportJobs, HeldTask } from './export-jobs.js'

/** How long a task works before it looks whether others wait, in ms. */
const TURN = 1000

/**
 * The turn of a task, which ends when a job waits that has been served less; but not before the task has gone forward for
 * as long as it took to come back to where it was. Going over a stream again then never costs more than the work itself.
 */
export interface Turn {
  readonly isOver: boolean
  /** To be called when there is something new to write. */
  wentOn(): void
  /** To be called with the resources of each part that was written. */
  served(resources: number): void
  release(): Promise<void>
}

/**
 * Begins a turn. A small export must not wait until a large one is complete.
 *
 * @param signal ends it too: what hangs may never release it
 */
export function beginTurn(
  task: HeldTask,
  before: number,
  { jobs, logger }: { readonly jobs: Pick<ExportJobs, 'isOtherJobWaiting'>; readonly logger: Logger },
  signal: AbortSignal,
): Turn {
  let isOver = false
  let total = before
  let looking: Promise<void> | undefined
  const started = performance.now()
  let wentOn: number | undefined
  const isWorthIt = () => wentOn !== undefined && performance.now() - wentOn >= wentOn - started
  const look = async () => {
    isOver ||= await jobs.isOtherJobWaiting(task, total)
  }
  const timer = setInterval(() => {
    looking ??= look()
      .catch((error: unknown) => {
        logger.warn('task.turn-unknown', { job: task.job, task: task._id, error: describeError(error) })
      })
      .finally(() => {
        looking = undefined
      })
  }, TURN)
  const end = () => clearInterval(timer)
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  return {
    get isOver() {
      return isOver && isWorthIt()
    },
    wentOn() {
      wentOn ??= performance.now()
    },
    served(resources) {
      total += resources
    },
    release: async () => {
      end()
      await looking
    },
  }
}
