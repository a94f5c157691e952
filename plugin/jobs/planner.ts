import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'winston'
import { describeError, toExportError } from '../errors.js'
import type { GroupMembers } from '../search/host-hooks.js'
import type { HostSearch } from '../search/host-search.js'
import type { Caller } from '../search/search-adapter.js'
import { freezeCohort } from './cohort.js'
import type { ExportJobs } from './export-jobs.js'
import { groupPatients } from './group-cohort.js'
import type { ExportJob, Models } from './model.js'
import { taskSubjects } from './task-plan.js'

export interface PlannerDependencies {
  readonly jobs: ExportJobs
  readonly cohorts: Models['cohort']
  readonly search: HostSearch
  readonly groupMembers?: GroupMembers | undefined
  readonly logger: Logger
  /** How long a write may take from the moment it sets `meta.lastUpdated` until it can be read, in ms. */
  readonly writeGrace: number
}

/**
 * Plans a job: freezes its cohort, makes its tasks and lets it run. May be called again at any time, also after
 * it died halfway. A group that can no longer be read fails the job with the reason.
 *
 * @returns the job when it has tasks to run
 */
export async function planJob(
  id: string,
  dependencies: PlannerDependencies,
  signal: AbortSignal,
): Promise<ExportJob | undefined> {
  const { jobs } = dependencies
  const job = await jobs.job(id)
  if (job?.status !== 'accepted' && job?.status !== 'running') return undefined
  if (job.status === 'running') await jobs.plan(job)
  else if (!(await planAccepted(job, dependencies, signal))) return undefined
  return job
}

async function planAccepted(
  job: ExportJob,
  dependencies: PlannerDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  const { jobs, logger } = dependencies
  await letWritesLand(dependencies.writeGrace, signal)
  try {
    await jobs.plan(job, await freezePatients(job, dependencies, signal))
    logger.info('job.planned', { job: job._id, tasks: taskSubjects(job).length })
    return true
  } catch (error) {
    if (signal.aborted) throw error
    const reason = toExportError(error)
    if (reason.status === 503) throw error
    logger.error('job.planning-failed', { job: job._id, error: describeError(error) })
    // Another planner may have been luckier.
    await jobs.fail(job._id, { status: reason.status, issues: reason.issues }, ['accepted'])
    return false
  }
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
): Promise<string | undefined> {
  const { level, groupId, base, patients: asked } = job
  if (level === 'system' || (level === 'patient' && asked === undefined)) return undefined
  const caller = JSON.parse(job.caller) as Caller
  const reading = { search: search.adapter(base, caller), groupMembers, user: caller.user, base, signal }
  const members =
    level === 'group' ? await groupPatients(groupId as string, job.transactionTime, reading) : new Set(asked)
  const patients = [...(asked ?? members)].filter((patient) => members.has(patient))
  logger.info('cohort.frozen', { job: job._id, patients: patients.length })
  return freezeCohort(cohorts, job._id, patients)
}
