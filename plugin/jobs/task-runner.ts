import { describeError, ExportError } from '../errors.js'
import type { HostSearch } from '../search/host-search.js'
import { untilAborted } from '../until-aborted.js'
import type { HeldTask } from './export-jobs.js'
import type { ExportJob, JobFailure } from './model.js'
import { cutIntoParts, type FileLimits } from './output.js'
import { fileKey, LostTask, type WriterDependencies, writePart } from './part-writer.js'
import { LostPosition } from './resource-reader.js'
import { isHopeless, pauseAfter, triesFor } from './retry.js'
import { type HoldDependencies, holdTask, type TaskHold } from './task-hold.js'
import { type SourceDependencies, taskSource } from './task-source.js'
import { beginTurn } from './turn.js'

export interface RunnerDependencies extends SourceDependencies, WriterDependencies, HoldDependencies {
  readonly limits: FileLimits
  /** Told once when a job has been completed or has failed. */
  jobEnded(job: ExportJob): Promise<void>
  /** Told when a task waits that nobody may take for so many ms. */
  taskPaused(pause: number): void
}

/**
 * How a run ended: `lost` means that another attempt, a cancel or a failure elsewhere took the task away; `retried`,
 * that it failed and may be taken again later; `handed-back`, that the worker stops; `interrupted`, that others wait.
 */
export type RunEnd = 'done' | 'failed' | 'handed-back' | 'interrupted' | 'retried' | 'lost'

/**
 * Runs a claimed task from where its last attempt left off: writes files, each with its checkpoint, until
 * nothing is left, and settles the job if this was its last task. When `signal` is aborted the unfinished part
 * is dropped and the task handed back.
 *
 * Never rejects because of what a service or the storage did: that is tried again, or fails the job. Rejects when the
 * database cannot be reached, and then has changed nothing that another attempt could not do again.
 */
export async function runTask(
  task: HeldTask,
  dependencies: RunnerDependencies,
  signal: AbortSignal,
): Promise<RunEnd> {
  const { jobs, logger } = dependencies
  const about = { job: task.job, task: task._id, attempt: task.attempt, exports: subjectOf(task) }
  const job = await jobs.job(task.job)
  if (job?.status !== 'running') {
    await jobs.release(task, 'cancelled')
    return 'lost'
  }
  if (isHopeless(task.failures)) return failJob(job, task, new ExportError(500, WORKERS_DIED), dependencies)
  const started = Date.now()
  const hold = holdTask(task, dependencies, signal)
  const finish = async (isDone: boolean): Promise<RunEnd> => {
    if (!(await jobs.release(task, isDone ? 'done' : 'waiting'))) return 'lost'
    if (isDone && (await jobs.settle(job))) {
      logger.info('job.completed', { job: job._id })
      await sweep(job, dependencies)
      await dependencies.jobEnded(job)
    }
    return isDone ? 'done' : 'interrupted'
  }
  const giveUp = async (thrown: unknown): Promise<RunEnd> => {
    const error: unknown = hold.signal.aborted ? hold.signal.reason : thrown
    if (error instanceof LostTask) return 'lost'
    if (signal.aborted) return (await jobs.release(task, 'waiting')) ? 'handed-back' : 'lost'
    if (!(await jobs.renew(task))) return 'lost'
    const failures = hold.failures + 1
    if (failures >= triesFor(error)) return failJob(job, task, error, dependencies)
    const pause = pauseAfter(failures)
    logger.warn('task.retried', { ...about, failures, pause, error: describeError(error) })
    if (!(await jobs.retry(task, pause))) return 'lost'
    dependencies.taskPaused(pause)
    return 'retried'
  }
  try {
    const end = await endOf(writeTask(job, task, dependencies, hold), hold.signal).then(finish, giveUp)
    logger.info(`task.${end}`, { ...about, ms: Date.now() - started })
    return end
  } finally {
    await hold.release()
  }
}

const WORKERS_DIED = 'Its workers ended again and again while they worked on it.'

/** Removes what attempts have left behind that lost their task. A sweep that fails takes nothing from the export. */
async function sweep({ _id }: ExportJob, { jobs, storage, logger }: RunnerDependencies): Promise<void> {
  try {
    const files = (await jobs.tasks(_id)).flatMap((task) => task.files)
    await storage.removeOthers(_id, new Set(files.map((file) => fileKey(_id, file))))
  } catch (error) {
    logger.warn('job.sweep-failed', { job: _id, error: describeError(error) })
  }
}

/** How long something that was told to end may take to do so, in ms; then it is left to itself. */
const LEAVE_AFTER = 2500

/** Waits for work, but not without end once it was told to end: it may hang in a service or a storage. */
async function endOf<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await untilAborted(() => work, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
    return untilAborted(() => work, { timeout: LEAVE_AFTER, late: () => signal.reason as Error })
  }
}

async function failJob(
  job: ExportJob,
  task: HeldTask,
  error: unknown,
  { jobs, storage, logger, jobEnded }: RunnerDependencies,
): Promise<RunEnd> {
  const about = { job: task.job, task: task._id, attempt: task.attempt, exports: subjectOf(task) }
  logger.error('task.failed', { ...about, error: describeError(error) })
  if (await jobs.fail(task.job, failureOf(task, error))) {
    await storage.removeAll(task.job)
    await jobEnded(job)
  }
  return 'failed'
}

/**
 * Writes what is left of a task; begins anew when the data under its position are no longer the same.
 *
 * @returns whether nothing is left; otherwise others wait
 */
async function writeTask(
  job: ExportJob,
  task: HeldTask,
  dependencies: RunnerDependencies,
  hold: TaskHold,
): Promise<boolean> {
  const { limits, jobs, storage, search } = dependencies
  const { signal } = hold
  const source = taskSource(job, task, { ...dependencies, search: watched(search, hold.moved) })
  const turn = source.resumesWell ? beginTurn(task, job.served, dependencies) : undefined
  const isEnough = () => {
    hold.moved()
    return turn?.isOver ?? false
  }
  try {
    let from = task.position
    for (;;) {
      try {
        for await (const part of cutIntoParts(source.read(from, signal), limits, source.shape, isEnough)) {
          await writePart(part, source, task, dependencies, signal)
          hold.committed()
          turn?.served(part.size.resources)
          if (turn?.isOver) return false
        }
        return true
      } catch (error) {
        if (!(error instanceof LostPosition)) throw error
      }
      const files = await jobs.restart(task)
      if (files === undefined) throw new LostTask()
      for (const file of files) await storage.removeAll(fileKey(job._id, file))
      from = undefined
    }
  } finally {
    await turn?.release()
  }
}

/** The same search, which tells of each answer. */
function watched(search: HostSearch, moved: () => void): HostSearch {
  return {
    ...search,
    adapter(base, caller) {
      const adapter = search.adapter(base, caller)
      return {
        async search(request) {
          const page = await adapter.search(request)
          moved()
          return page
        },
      }
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
