import type { Connection } from 'mongoose'
import type { Logger } from 'winston'
import { describeError, ExportError } from '../errors.js'
import type { DeletedSince, GroupMembers } from '../search/host-hooks.js'
import type { HostSearch } from '../search/host-search.js'
import type { ExportStorage } from '../storage/export-storage.js'
import { type RunningLimits, requirePlace, requireRoom } from './admission.js'
import { type ExportJobs, openExportJobs } from './export-jobs.js'
import { blamingSearch, reasonOf } from './failure-reason.js'
import { fingerprintOf } from './fingerprint.js'
import { jobCompleted } from './job-end.js'
import { type Metrics, NO_METRICS } from './metrics.js'
import { createModels, type ExportJob } from './model.js'
import type { FileLimits } from './output.js'
import { planJob } from './planner.js'
import { openQueue, type Queue } from './queue.js'
import { taskSubjects } from './task-plan.js'
import { runTask } from './task-runner.js'
import { hasLiveWorker, joinWorkers } from './worker-list.js'

export interface EngineOptions extends RunningLimits {
  readonly connection: Connection
  readonly search: HostSearch
  /** Hooks of the host; absent: it has none. */
  readonly groupMembers?: GroupMembers | undefined
  readonly deletedSince?: DeletedSince | undefined
  readonly storage: ExportStorage
  readonly logger: Logger
  /** Default: nothing is counted. */
  readonly metrics?: Metrics
  readonly limits: FileLimits
  /** Whether files are kept compressed; which of them are is recorded with each. */
  readonly compressFiles: boolean
  /** Tasks that this process runs at the same time; 0 leaves them to others. */
  readonly workers: number
  /** Resources asked for at once. */
  readonly pageSize: number
  /** How long a worker that is not heard of keeps its task, in ms. */
  readonly lease: number
  /** How long a task may go without reading or writing anything, in ms. */
  readonly stallTimeout: number
  /** What happens to a job when no process works. */
  readonly withoutWorkers: 'refuse' | 'wait'
  /** How long a write may take until it can be read, in ms. */
  readonly writeGrace: number
  /** How long the files and the record of an ended job are kept, in ms. */
  readonly retention: number
}

/** Runs exports: takes jobs in, works on them together with other processes on the same database, ends them. */
export interface Engine {
  readonly jobs: ExportJobs
  /** How long an ended job is kept, in ms. */
  readonly retention: number
  /**
   * Stores a job; work on it begins at once, or with the next look at the record.
   *
   * @throws ExportError 429 when too many are under way, or the same one is and must not be; then nothing is stored
   */
  accept(job: Parameters<ExportJobs['accept']>[0]): Promise<void>
  /** Ends a job in any state and removes its files and documents; `false` when there is none. */
  cancel(job: string): Promise<boolean>
  /** Hands running tasks back and waits until nothing of this process writes any more. */
  stop(): Promise<void>
}

/** How often the record is looked at for work whose bell was lost, in ms. */
const RECONCILE_EVERY = 60_000
/** A cancelled task is noticed this soon at the latest, in ms. */
const LONGEST_HEARTBEAT = 2000
/** A bell for a paused task rings so much later than its pause ends, by another clock, in ms. */
const RING_LATER = 50

/** Starts an engine on an open connection, which stays the caller's to close. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { connection, storage, logger, lease, workers, retention, metrics = NO_METRICS } = options
  const models = createModels(connection)
  const jobs = await openExportJobs(connection, models, lease)
  const search = blamingSearch(options.search)
  const common = { jobs, cohorts: models.cohort, search, logger, metrics }
  const heartbeat = Math.min(LONGEST_HEARTBEAT, lease / 3)
  const timers = new Set<NodeJS.Timeout>()
  /** When this process dies before, the next look at the record rings. */
  const ringLater = (pause: number, ring: () => Promise<void>) => {
    const later = setTimeout(() => {
      timers.delete(later)
      ring().catch((error: unknown) => logger.warn('queue.ring-failed', { error: describeError(error) }))
    }, pause + RING_LATER)
    timers.add(later)
  }
  const planning = {
    ...{ ...common, heartbeat, groupMembers: options.groupMembers },
    ...{ writeGrace: options.writeGrace, stallTimeout: options.stallTimeout },
    planPaused: (job: string, pause: number) => ringLater(pause, () => queue.ringPlan(job)),
  }
  const running = {
    ...{ ...common, storage, deletedSince: options.deletedSince },
    ...{ limits: options.limits, pageSize: options.pageSize, compress: options.compressFiles },
    heartbeat,
    stallTimeout: options.stallTimeout,
    jobEnded: ({ _id }: ExportJob) => queue.forget(_id),
    taskPaused: (pause: number) => ringLater(pause, () => queue.ringWork('retry', 1)),
  }
  let runningTasks = 0
  /** What neither a planner nor a runner takes for its own failure, such as a database that is gone. */
  const counted = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (!signal.aborted) metrics.failed(reasonOf(error))
      throw error
    }
  }
  const { db } = connection
  if (db === undefined) throw new Error('The connection to MongoDB is not open.')
  const queue: Queue = await openQueue({
    ...{ db, workers, logger, patience: lease },
    handlers: {
      async plan(id, signal) {
        const job = await counted(() => planJob(id, planning, signal), signal)
        if (job !== undefined) await queue.ringWork(id, taskSubjects(job).length)
      },
      async work(signal) {
        while (!signal.aborted) {
          const task = await counted(() => jobs.claim(), signal)
          if (task === undefined) return
          runningTasks += 1
          try {
            await counted(() => runTask(task, running, signal), signal)
          } finally {
            runningTasks -= 1
          }
        }
      },
    },
  })

  const cleanUp = async (job: string, reason: 'cancelled' | 'expired' | 'refused') => {
    await queue.forget(job)
    await storage.removeAll(job)
    await jobs.remove(job)
    logger.info('job.removed', { job, reason })
  }
  const withdraw = async (job: string) => {
    if (await jobs.withdraw(job)) {
      logger.info('job.removed', { job, reason: 'refused' })
      return
    }
    // Somebody who looked at the record has begun with it.
    if (await jobs.cancel(job)) await cleanUp(job, 'refused')
  }
  const reconcile = async () => {
    const expired = await jobs.expire(retention)
    if (expired > 0) {
      metrics.jobsChanged('expired', expired)
      logger.info('job.expired', { jobs: expired })
    }
    for (const job of await jobs.unsettled()) {
      await reconcileJob(job).catch((error: unknown) => {
        logger.warn('engine.reconcile-failed', { job: job._id, error: describeError(error) })
      })
    }
    const claimable = await jobs.countClaimable()
    if (claimable > 0) await queue.ringWork('reconcile', claimable)
  }
  const reconcileJob = async (job: ExportJob) => {
    if (job.status === 'cancelled' || job.status === 'expired') await cleanUp(job._id, job.status)
    else if (await jobs.settle(job)) await jobCompleted(job, running)
    else await queue.ringPlan(job._id)
  }
  let reconciling = Promise.resolve()
  const reconcileSoon = () => {
    reconciling = reconciling.then(reconcile).catch((error: unknown) => {
      logger.warn('engine.reconcile-failed', { error: describeError(error) })
    })
  }
  await queue.start()
  const membership = workers > 0 ? await joinWorkers(models, logger) : undefined
  const timer = workers > 0 ? setInterval(reconcileSoon, RECONCILE_EVERY) : undefined
  if (workers > 0) reconcileSoon()
  const unwatch = metrics.watch({
    database: `${connection.host}:${connection.port}/${connection.name}`,
    runningTasks: () => runningTasks,
    waitingTasks: () => jobs.countClaimable(),
    runningJobs: () => jobs.countUnfinished(),
  })

  return {
    jobs,
    retention,
    async accept(asked) {
      const job = { ...asked, fingerprint: fingerprintOf(asked) }
      if (membership === undefined && !(await hasLiveWorker(models))) {
        if (options.withoutWorkers === 'refuse') throw withoutWorkers()
        logger.warn('job.without-workers', { job: job._id })
      }
      await requireRoom(job, jobs, options)
      await jobs.accept(job)
      try {
        await requirePlace(job, jobs, options)
      } catch (error) {
        await withdraw(job._id).catch((cause: unknown) =>
          logger.warn('job.removal-failed', { job: job._id, error: describeError(cause) }),
        )
        throw error
      }
      metrics.jobsChanged('accepted')
      await queue
        .ringPlan(job._id)
        .catch((error: unknown) =>
          logger.warn('queue.ring-failed', { job: job._id, error: describeError(error) }),
        )
    },
    async cancel(job) {
      if (!(await jobs.cancel(job))) return false
      metrics.jobsChanged('cancelled')
      logger.info('job.cancelled', { job })
      await cleanUp(job, 'cancelled').catch((error: unknown) =>
        logger.warn('job.removal-failed', { job, error: describeError(error) }),
      )
      return true
    },
    async stop() {
      clearInterval(timer)
      for (const later of timers) clearTimeout(later)
      await reconciling
      await queue.stop()
      await membership?.leave().catch((error: unknown) => {
        logger.warn('worker.not-heard', { error: describeError(error) })
      })
      // Others are told at once of what this process leaves behind.
      if (workers > 0) reconcileSoon()
      await reconciling
      unwatch()
    },
  }
}

function withoutWorkers(): ExportError {
  const text =
    'No worker of this server is running, so an export would not begin. Start one (npm run worker).'
  return new ExportError(503, text, { code: 'transient', retryAfter: 30 })
}
