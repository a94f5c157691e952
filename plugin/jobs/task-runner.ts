import { setTimeout as delay } from 'node:timers/promises'
import { describeError, ExportError, toExportError } from '../errors.js'
import type { HeldTask } from './export-jobs.js'
import type { ExportJob, JobFailure } from './model.js'
import { cutIntoParts, type FileLimits } from './output.js'
import { fileKey, LostTask, type WriterDependencies, writePart } from './part-writer.js'
import { LostPosition } from './resource-reader.js'
import { type SourceDependencies, taskSource } from './task-source.js'

export interface RunnerDependencies extends SourceDependencies, WriterDependencies {
  readonly limits: FileLimits
  /** How often a runner renews the lease of its task, in ms; also how soon it notices that it lost it. */
  readonly heartbeat: number
  /** Told once when a job has been completed or has failed. */
  jobEnded(job: string): Promise<void>
}

/** How a run ended: `lost` means that another attempt, a cancel or a failure elsewhere took the task away. */
export type RunEnd = 'done' | 'failed' | 'handed-back' | 'lost'

/**
 * Runs a claimed task from where its last attempt left off: writes files, each with its checkpoint, until
 * nothing is left, and settles the job if this was its last task. When `signal` is aborted the unfinished part
 * is dropped and the task handed back.
 *
 * Never rejects because of what a service or the storage did: that fails the job. Rejects when the database
 * cannot be reached, and then has changed nothing that another attempt could not do again.
 */
export async function runTask(
  task: HeldTask,
  dependencies: RunnerDependencies,
  signal: AbortSignal,
): Promise<RunEnd> {
  const { jobs, storage, logger } = dependencies
  const about = { job: task.job, task: task._id, attempt: task.attempt, exports: subjectOf(task) }
  const job = await jobs.job(task.job)
  if (job?.status !== 'running') {
    await jobs.release(task, 'cancelled')
    return 'lost'
  }
  const started = Date.now()
  const hold = holdTask(task, dependencies)
  const finish = async (): Promise<RunEnd> => {
    if (!(await jobs.release(task, 'done'))) return 'lost'
    if (await jobs.settle(job)) {
      logger.info('job.completed', { job: job._id })
      await dependencies.jobEnded(job._id)
    }
    return 'done'
  }
  const giveUp = async (error: unknown): Promise<RunEnd> => {
    if (hold.signal.aborted || error instanceof LostTask) return 'lost'
    if (signal.aborted) return (await jobs.release(task, 'waiting')) ? 'handed-back' : 'lost'
    if (!(await jobs.renew(task))) return 'lost'
    if (toExportError(error).status === 503 && task.attempt < MOST_ATTEMPTS) {
      logger.warn('task.retried', { ...about, error: describeError(error) })
      await pause(task.attempt, AbortSignal.any([signal, hold.signal]))
      return (await jobs.release(task, 'waiting')) ? 'handed-back' : 'lost'
    }
    logger.error('task.failed', { ...about, error: describeError(error) })
    if (await jobs.fail(task.job, failureOf(task, error))) {
      await storage.removeAll(task.job)
      await dependencies.jobEnded(task.job)
    }
    return 'failed'
  }
  try {
    const end = await writeTask(job, task, dependencies, AbortSignal.any([signal, hold.signal])).then(
      finish,
      giveUp,
    )
    logger.info(`task.${end}`, { ...about, ms: Date.now() - started })
    return end
  } finally {
    await hold.release()
  }
}

/** What may pass, such as a database that cannot be reached, is tried this often. */
const MOST_ATTEMPTS = 10
const LONGEST_PAUSE_MS = 30_000

/** Waits longer with each attempt, from a quarter of a second on; an abort ends it early. */
async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(LONGEST_PAUSE_MS, 250 * 2 ** (attempt - 1))
  await delay(ms, undefined, { signal }).catch(() => undefined)
}

/** Writes what is left of a task; begins anew when the data under its position are no longer the same. */
async function writeTask(
  job: ExportJob,
  task: HeldTask,
  dependencies: RunnerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { limits, jobs, storage } = dependencies
  const source = taskSource(job, task, dependencies)
  let from = task.position
  for (;;) {
    try {
      for await (const part of cutIntoParts(source.read(from, signal), limits, source.shape)) {
        await writePart(part, source, task, dependencies, signal)
      }
      return
    } catch (error) {
      if (!(error instanceof LostPosition)) throw error
    }
    const files = await jobs.restart(task)
    if (files === undefined) throw new LostTask()
    for (const file of files) await storage.removeAll(fileKey(job._id, file))
    from = undefined
  }
}

/** Looks after the hold on a task and aborts `signal` once it is gone. */
function holdTask(task: HeldTask, { jobs, heartbeat, logger }: RunnerDependencies) {
  const lost = new AbortController()
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = looking
      .then(() => jobs.renew(task))
      .then((isHeld) => {
        if (!isHeld) lost.abort(new LostTask())
      })
      .catch((error: unknown) => {
        logger.warn('task.heartbeat-failed', { job: task.job, task: task._id, error: describeError(error) })
      })
  }, heartbeat)
  return {
    signal: lost.signal,
    release: async () => {
      clearInterval(timer)
      await looking
    },
  }
}

/** In words, such as `Patient` or `deleted`. */
function subjectOf({ kind, type }: HeldTask): string {
  return type ?? kind
}

/** What the client is told: which type and, if it was said for others' eyes, why; the log has the rest. */
function failureOf(task: HeldTask, error: unknown): JobFailure {
  const reason = error instanceof ExportError ? error.message : 'The log of the server has the cause.'
  return {
    status: 500,
    issues: [
      {
        severity: 'error',
        code: 'exception',
        diagnostics: `The export failed while it read or wrote ${subjectOf(task)} (task ${task._id}). ${reason}`,
      },
    ],
  }
}
