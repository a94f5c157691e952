import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'winston'
import { describeError, ExportError, toExportError } from '../errors.js'
import type { GroupMembers } from '../search/host-hooks.js'
import type { HostSearch } from '../search/host-search.js'
import type { Scans } from '../search/scans.js'
import type { Caller } from '../search/search-adapter.js'
import { untilAborted } from '../until-aborted.js'
import { type FrozenCohort, freezeCohort } from './cohort.js'
import type { Models } from './collections.js'
import type { ExportJobs } from './export-jobs.js'
import { type FailureReason, reasonOf } from './failure-reason.js'
import { groupPatients } from './group-cohort.js'
import { tellJobFailed } from './job-end.js'
import { type Metrics, NO_METRICS } from './metrics.js'
import type { ExportJob, JobFailure } from './model.js'
import { pauseAfter, triesFor } from './retry.js'
import { planReading } from './scan-plan.js'

export interface PlannerDependencies {
  readonly jobs: ExportJobs
  readonly cohorts: Models['cohort']
  readonly search: HostSearch
  readonly groupMembers?: GroupMembers | undefined
  /** Collections that may be read past the services; absent: none. */
  readonly scans?: Scans | undefined
  readonly logger: Logger
  /** Default: nothing is counted. */
  readonly metrics?: Metrics
  /** How long a write may take from the moment it sets `meta.lastUpdated` until it can be read, in ms. */
  readonly writeGrace: number
  /** How often it is looked whether the job is still there, in ms. */
  readonly heartbeat: number
  /** How long planning may take, in ms. */
  readonly stallTimeout: number
  /** Told when a job is to be planned again, after so many ms. */
  planPaused(job: string, pause: number): void
}

/**
 * Plans a job: freezes its cohort, makes its tasks and lets it run. May be called again at any time, also after
 * it died halfway. A group that can no longer be read fails the job with the reason.
 *
 * @returns how many tasks it has
 */
export async function planJob(
  id: string,
  dependencies: PlannerDependencies,
  signal: AbortSignal,
): Promise<number> {
  const { jobs } = dependencies
  const job = await jobs.job(id)
  if (job?.status === 'running') return jobs.plan(job)
  return job?.status === 'accepted' ? planAccepted(job, dependencies, signal) : 0
}

async function planAccepted(
  job: ExportJob,
  dependencies: PlannerDependencies,
  stopping: AbortSignal,
): Promise<number> {
  const { jobs, logger } = dependencies
  const started = Date.now()
  const watch = watchPlanning(job, dependencies, stopping)
  const { signal } = watch
  try {
    await letWritesLand(dependencies.writeGrace, signal)
    const frozen = await untilAborted(() => freezePatients(job, dependencies, signal), { signal })
    const { scans } = dependencies
    const reading = await untilAborted(() => planReading({ job, frozen, scans, signal, logger }), { signal })
    const tasks = await jobs.plan(job, { frozen, ...reading })
    const { readings } = reading
    logger.info('job.planned', { job: job._id, tasks, readings, ms: Date.now() - started })
    return tasks
  } catch (thrown) {
    const error: unknown = signal.aborted ? signal.reason : thrown
    if (stopping.aborted) throw error
    if (error instanceof EndedJob) return 0
    // What ends planning from within, without its job, is that it stands still.
    await planningFailed(job, error, signal.aborted ? 'stalled' : reasonOf(error), dependencies)
    return 0
  } finally {
    watch.end()
  }
}

/** Fails the job, unless what went wrong may pass: then it is planned again later. */
async function planningFailed(
  planned: ExportJob,
  error: unknown,
  reason: FailureReason,
  { jobs, logger, planPaused, metrics = NO_METRICS }: PlannerDependencies,
): Promise<void> {
  const { _id: job } = planned
  const tries = triesFor(error)
  const failures = tries > 1 ? await jobs.planFailed(job) : tries
  if (failures === undefined) return
  metrics.failed(reason)
  if (failures < tries) {
    const pause = pauseAfter(failures)
    logger.warn('job.planning-retried', { job, failures, pause, reason, error: describeError(error) })
    planPaused(job, pause)
    return
  }
  logger.error('job.planning-failed', { job, reason, error: describeError(error) })
  // Another planner may have been luckier.
  if (await jobs.fail(job, failureOf(toExportError(error)), ['accepted'])) {
    tellJobFailed(planned, reason, { logger, metrics })
  }
}

/**
 * A status of 404 would say that there is no such export (Bulk Data 3.0.0, "Bulk Data Delete Request"), and an issue
 * `transient` that it goes on ("Response - Error Status"), as 429 and 503 do to many clients.
 */
function failureOf({ status, issues }: ExportError): JobFailure {
  if (status === 404)
    return { status: 500, issues: issues.map((issue) => ({ ...issue, code: 'processing' })) }
  const final = issues.map((issue) =>
    PASSING.has(issue.code) ? { ...issue, code: 'exception' as const } : issue,
  )
  return { status: status === 429 || status === 503 ? 500 : status, issues: final }
}

const PASSING: ReadonlySet<string> = new Set(['transient', 'throttled'])

class EndedJob extends Error {}

/** A signal that ends planning when the worker stops, the job has ended, or it takes too long. */
function watchPlanning(
  { _id }: ExportJob,
  { jobs, logger, heartbeat, stallTimeout }: PlannerDependencies,
  stopping: AbortSignal,
) {
  const ended = new AbortController()
  // As in `holdTask`.
  setMaxListeners(0, ended.signal)
  const stop = () => ended.abort(stopping.reason)
  stopping.addEventListener('abort', stop, { once: true })
  if (stopping.aborted) stop()
  const look = setInterval(() => {
    jobs
      .job(_id)
      .then((job) => {
        if (job?.status !== 'accepted') ended.abort(new EndedJob())
      })
      .catch((error: unknown) => {
        logger.warn('job.state-unknown', { job: _id, error: describeError(error) })
      })
  }, heartbeat)
  const late = setTimeout(() => ended.abort(stalled(stallTimeout)), stallTimeout)
  return {
    signal: ended.signal,
    end() {
      clearInterval(look)
      clearTimeout(late)
      stopping.removeEventListener('abort', stop)
    },
  }
}

/** What may pass. */
function stalled(stallTimeout: number): ExportError {
  const text = `Who is to be exported was not known after ${stallTimeout / 1000} seconds.`
  return new ExportError(503, text, { code: 'timeout', retryAfter: 10 })
}

/**
 * A write that took its time stamp before the transaction time but is not visible yet would be missed by this
 * export and, being too old, by the next one with `_since` as well (guide: `transactionTime`).
 */
async function letWritesLand(writeGrace: number, signal: AbortSignal): Promise<void> {
  // All of it from here on: how long ago the job was accepted, two clocks would not agree upon.
  if (writeGrace > 0) await delay(writeGrace, undefined, { signal })
}

/** Levels and requests without a list of patients need no cohort. */
async function freezePatients(
  job: ExportJob,
  { cohorts, search, groupMembers, logger }: PlannerDependencies,
  signal: AbortSignal,
): Promise<FrozenCohort | undefined> {
  const { level, groupId, base, patients: asked } = job
  if (level === 'system' || (level === 'patient' && asked === undefined)) return undefined
  const caller = JSON.parse(job.caller) as Caller
  const reading = { search: search.adapter(base, caller), groupMembers, user: caller.user, base, signal }
  const members =
    level === 'group' ? await groupPatients(groupId as string, job.transactionTime, reading) : new Set(asked)
  const patients = [...(asked ?? members)].filter((patient) => members.has(patient))
  logger.info('cohort.frozen', { job: job._id, patients: patients.length })
  // A hook that answers late must leave nothing behind.
  signal.throwIfAborted()
  return freezeCohort(cohorts, job._id, patients)
}
