import { describeError } from '../errors.js'
import { cohortMembers } from './cohort-members.js'
import { createModels } from './collections.js'
import type { EngineOptions } from './engine-options.js'
import { folderOf } from './export-folder.js'
import { type ExportJobs, openExportJobs } from './export-jobs.js'
import { type ExportOverview, exportOverview } from './export-overview.js'
import { blamingSearch, reasonOf } from './failure-reason.js'
import { openIntake } from './intake.js'
import { completeJob, sweepJob } from './job-end.js'
import { NO_METRICS } from './metrics.js'
import type { ExportJob, NewExport } from './model.js'
import { planJob } from './planner.js'
import { openQueue, type Queue } from './queue.js'
import { regularLook } from './regular-look.js'
import { runTask } from './task-runner.js'
import { Throttle } from './throttle.js'
import { hasLiveWorker, joinWorkers } from './worker-list.js'

/** Runs exports: takes jobs in, works on them together with other processes on the same database, ends them. */
export interface Engine {
  readonly jobs: ExportJobs
  /** All exports, for people who operate the server. */
  readonly overview: ExportOverview
  /** How long an ended job is kept, in ms. */
  readonly retention: number
  /**
   * The transaction time of an export that is kicked off now: the earlier of two clocks. One that is ahead would make
   * it miss what is written in the meantime, for this export and the next one `_since` it.
   */
  transactionTime(): Promise<Date>
  /**
   * Stores a job; work on it begins at once, or with the next look at the record.
   *
   * @throws ExportError 400 for a container that its files cannot go to, 429 when too many are under way, or the same
   * one is and must not be, 503 when its files could not be written or nobody works; then nothing is stored
   */
  accept(job: NewExport): Promise<void>
  /** Ends a job in any state and removes its files and documents; `false` when there is none. */
  cancel(job: string): Promise<boolean>
  /** Hands running tasks back and waits until nothing of this process writes any more. */
  stop(): Promise<void>
}

/** How often the record is looked at for work whose bell was lost, and how soon after the database was gone, in ms. */
const RECONCILE_TIMES = { every: 30_000, soon: 2000 }
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
    ...{ ...common, heartbeat, groupMembers: options.groupMembers, scans: options.scans },
    ...{ writeGrace: options.writeGrace, stallTimeout: options.stallTimeout },
    planPaused: (job: string, pause: number) => ringLater(pause, () => queue.ringPlan(job)),
  }
  const running = {
    ...{ ...common, storage, deletedSince: options.deletedSince },
    ...{ scans: options.scans, scanRunner: options.scanRunner },
    members: cohortMembers(models.cohort),
    ...{ limits: options.limits, pageSize: options.pageSize, maxPageBytes: options.maxPageBytes },
    searchConcurrency: options.searchConcurrency,
    ...{ compress: options.compressFiles, hashes: options.hashFiles, manifestFile: options.manifestFile },
    throttle: options.maxRate && new Throttle(options.maxRate),
    heartbeat,
    stallTimeout: options.stallTimeout,
    jobEnded: ({ _id }: ExportJob) => queue.forget(_id),
    taskPaused: (pause: number) => ringLater(pause, () => queue.ringWork('retry', 1)),
  }
  /** A job without any task, as nothing of what it wants is there. Nobody else comes to its end. */
  const completeEmpty = async (id: string) => {
    const job = await jobs.job(id)
    if (job?.status === 'running') await completeJob(job, running)
  }
  let runningTasks = 0
  /** What neither a planner nor a runner takes for its own failure, such as a database that is gone. */
  const counted = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (!signal.aborted) {
        metrics.failed(reasonOf(error))
        // Its bell has been answered, but not to the end.
        reconciling.soon()
      }
      throw error
    }
  }
  const { db } = connection
  if (db === undefined) throw new Error('The connection to MongoDB is not open.')
  const queue: Queue = await openQueue({
    ...{ db, workers, logger, patience: lease },
    handlers: {
      async plan(id, signal) {
        // While planning waits for writes to land.
        options.scanRunner?.prepare()
        const tasks = await counted(() => planJob(id, planning, signal), signal)
        if (tasks > 0) await queue.ringWork(id, tasks)
        else await completeEmpty(id)
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

  const cleanUp = async (job: ExportJob, reason: 'cancelled' | 'expired' | 'refused') => {
    await queue.forget(job._id)
    await storage.removeAll(folderOf(job))
    await jobs.remove(job._id)
    logger.info('job.removed', { job: job._id, reason })
  }
  const intake = openIntake({
    ...{ jobs, storage, logger, limits: options, withoutWorkers: options.withoutWorkers, cleanUp },
    hasWorker: async () => membership !== undefined || (await hasLiveWorker(models)),
    ring: (job) => queue.ringPlan(job),
  })
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
    if (job.status === 'cancelled' || job.status === 'expired') await cleanUp(job, job.status)
    else if (job.status === 'completed') await sweepJob(job, running)
    else if (!(await completeJob(job, running))) await queue.ringPlan(job._id)
  }
  const reconciling = regularLook(reconcile, RECONCILE_TIMES, (error) => {
    logger.warn('engine.reconcile-failed', { error: describeError(error) })
  })
  await queue.start()
  const membership = workers > 0 ? await joinWorkers(models, logger) : undefined
  if (workers > 0) reconciling.start()
  const unwatch = metrics.watch({
    database: `${connection.host}:${connection.port}/${connection.name}`,
    runningTasks: () => runningTasks,
    waitingTasks: () => jobs.countClaimable(),
    runningJobs: () => jobs.countUnfinished(),
  })

  return {
    jobs,
    overview: exportOverview(models),
    retention,
    async transactionTime() {
      const [own, database] = [Date.now(), (await jobs.now()).getTime()]
      return new Date(Math.min(own, database))
    },
    async accept(job) {
      await intake.accept(job)
      metrics.jobsChanged('accepted')
    },
    async cancel(id) {
      const job = await jobs.cancel(id)
      if (job === undefined) return false
      metrics.jobsChanged('cancelled')
      logger.info('job.cancelled', { job: id })
      await cleanUp(job, 'cancelled').catch((error: unknown) =>
        logger.warn('job.removal-failed', { job: id, error: describeError(error) }),
      )
      return true
    },
    async stop() {
      for (const later of timers) clearTimeout(later)
      await reconciling.stop()
      await intake.settled()
      await queue.stop()
      await membership?.leave().catch((error: unknown) => {
        logger.warn('worker.not-heard', { error: describeError(error) })
      })
      // Others are told at once of what this process leaves behind.
      if (workers > 0) reconciling.now()
      await reconciling.stop()
      unwatch()
    },
  }
}
