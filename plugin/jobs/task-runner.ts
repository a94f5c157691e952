import { describeError, ExportError } from '../errors.js'
import type { HostSearch } from '../search/host-search.js'
import { untilAborted } from '../until-aborted.js'
import { fileKey, folderOf } from './export-folder.js'
import type { HeldTask } from './export-jobs.js'
import { type FailureReason, reasonOf } from './failure-reason.js'
import { completeJob, type EndDependencies, tellJobFailed } from './job-end.js'
import { aboutTask, subjectOf, totalOf } from './log-fields.js'
import type { TaskEnd } from './metrics.js'
import type { ExportJob, JobFailure, OutputFile } from './model.js'
import { LostTask, type WriterDependencies, writePart } from './part-writer.js'
import { LostPosition } from './reading.js'
import { isHopeless, pauseAfter, triesFor } from './retry.js'
import { type HoldDependencies, holdTask, type TaskHold } from './task-hold.js'
import { type SourceDependencies, taskSource } from './task-source.js'
import { beginTurn } from './turn.js'

export interface RunnerDependencies
  extends SourceDependencies,
    WriterDependencies,
    HoldDependencies,
    EndDependencies {
  /** Told when a task waits that nobody may take for so many ms. */
  taskPaused(pause: number): void
}

/** How a run ended, and for one that failed why. */
interface Outcome {
  readonly end: TaskEnd
  readonly failure?: {
    readonly job: ExportJob
    readonly error: unknown
    readonly reason: FailureReason
    /** How often in a row the task has failed by now. */
    readonly failures: number
    /** How long nobody may take it, in ms; absent: it is not tried again. */
    readonly pause?: number
  }
}

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
): Promise<TaskEnd> {
  const { logger, metrics } = dependencies
  const started = Date.now()
  const written: OutputFile[] = []
  logger.debug('task.claimed', { ...aboutTask(task), failures: task.failures })
  const { end, failure } = await attempt(task, dependencies, written, signal)
  metrics.taskEnded(end)
  const about = { ...aboutTask(task), ...totalOf(written), ms: Date.now() - started }
  if (failure === undefined) {
    logger.info(`task.${end}`, about)
    return end
  }
  const { job, error, reason, ...how } = failure
  metrics.failed(reason)
  const level = end === 'failed' ? 'error' : 'warn'
  logger[level](`task.${end}`, { ...about, ...how, reason, error: describeError(error) })
  if (end === 'failed') await failJob(job, task, failure, dependencies)
  else if (how.pause !== undefined) dependencies.taskPaused(how.pause)
  return end
}

/** @param written gets the files that count */
async function attempt(
  task: HeldTask,
  dependencies: RunnerDependencies,
  written: OutputFile[],
  signal: AbortSignal,
): Promise<Outcome> {
  const { jobs } = dependencies
  const job = await jobs.job(task.job)
  if (job?.status !== 'running') {
    await jobs.release(task, 'cancelled')
    return { end: 'lost' }
  }
  if (isHopeless(task.failures)) {
    const error = new ExportError(500, WORKERS_DIED)
    return { end: 'failed', failure: { job, error, reason: 'other', failures: task.failures } }
  }
  const hold = holdTask(task, dependencies, signal)
  const finish = async (isDone: boolean): Promise<Outcome> => {
    if (!(await jobs.release(task, isDone ? 'done' : 'waiting'))) return { end: 'lost' }
    if (isDone) await completeJob(job, dependencies)
    return { end: isDone ? 'done' : 'interrupted' }
  }
  const giveUp = async (thrown: unknown): Promise<Outcome> => {
    const error: unknown = hold.signal.aborted ? hold.signal.reason : thrown
    if (error instanceof LostTask) return { end: 'lost' }
    if (signal.aborted) return { end: (await jobs.release(task, 'waiting')) ? 'handed-back' : 'lost' }
    if (!(await jobs.renew(task))) return { end: 'lost' }
    const reason = hold.signal.aborted ? 'stalled' : reasonOf(error)
    const failures = hold.failures + 1
    const failure = { job, error, reason, failures } as const
    if (failures >= triesFor(error)) return { end: 'failed', failure }
    const pause = pauseAfter(failures)
    if (!(await jobs.retry(task, pause, reason))) return { end: 'lost' }
    return { end: 'retried', failure: { ...failure, pause } }
  }
  try {
    return await endOf(writeTask(job, task, dependencies, hold, written), hold.signal).then(finish, giveUp)
  } finally {
    await hold.release()
  }
}

const WORKERS_DIED = 'Its workers ended again and again while they worked on it.'

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
  { error, reason }: NonNullable<Outcome['failure']>,
  dependencies: RunnerDependencies,
): Promise<void> {
  const { jobs, storage, jobEnded } = dependencies
  if (!(await jobs.fail(job._id, failureOf(task, error)))) return
  tellJobFailed(job, reason, dependencies)
  await storage.removeAll(folderOf(job))
  await jobEnded(job)
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
  written: OutputFile[],
): Promise<boolean> {
  const { jobs, storage, search } = dependencies
  const { signal } = hold
  const folder = folderOf(job)
  const source = taskSource(job, task, { ...dependencies, search: watched(search, hold.moved) })
  const turn = source.resumesWell ? beginTurn(task, job.served, dependencies, signal) : undefined
  // Data that are not the same at each look would otherwise make it begin anew at each turn.
  let mayGiveWay = true
  const isEnough = () => {
    hold.moved()
    return mayGiveWay && (turn?.isOver ?? false)
  }
  try {
    let from = task.position
    for (;;) {
      try {
        for await (const part of source.parts(from, signal, isEnough)) {
          turn?.wentOn()
          written.push(...(await writePart(part, { ...source, folder }, task, dependencies, signal)))
          hold.committed()
          turn?.served(part.size.resources)
          if (mayGiveWay && turn?.isOver) return false
        }
        return true
      } catch (error) {
        if (!(error instanceof LostPosition)) throw error
      }
      const files = await jobs.restart(task)
      if (files === undefined) throw new LostTask()
      written.length = 0
      for (const file of files) await storage.removeAll(fileKey(folder, file))
      from = undefined
      mayGiveWay = false
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
        ...adapter,
        async search(request) {
          const page = await adapter.search(request)
          moved()
          return page
        },
        stream(request) {
          const stream = adapter.stream?.(request)
          return stream && watchedStream(stream, moved)
        },
      }
    },
  }
}

async function* watchedStream<T>(stream: AsyncIterable<T>, moved: () => void): AsyncGenerator<T> {
  for await (const each of stream) {
    moved()
    yield each
  }
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
