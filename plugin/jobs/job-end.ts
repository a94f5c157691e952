import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import type { ExportStorage } from '../storage/export-storage.js'
import { fileKey, folderOf } from './export-folder.js'
import type { ExportJobs } from './export-jobs.js'
import { blaming, type FailureReason, reasonOf } from './failure-reason.js'
import { sinceKickOff, totalOf } from './log-fields.js'
import { manifestKey, writeManifestFile } from './manifest-file.js'
import type { Metrics } from './metrics.js'
import type { ExportJob, ExportTask, OutputFile } from './model.js'
import { triesFor } from './retry.js'

export interface EndDependencies {
  readonly jobs: ExportJobs
  readonly storage: ExportStorage
  readonly logger: Logger
  readonly metrics: Metrics
  /** Whether a manifest is put beside the files. */
  readonly manifestFile: boolean
  /** Told once when a job has been completed or has failed. */
  jobEnded(job: ExportJob): Promise<void>
}

/**
 * Makes a job `completed` when all its tasks are done, tells of it, and sweeps. May be called at any time.
 *
 * @returns whether this call has made it so
 */
export async function completeJob(job: ExportJob, dependencies: EndDependencies): Promise<boolean> {
  const { jobs, logger, metrics, storage, jobEnded } = dependencies
  const hasManifest = await putManifest(job, dependencies)
  if (!(await jobs.settle(job))) {
    // Somebody has cancelled it, and may have removed its folder before.
    if (hasManifest && (await jobs.job(job._id))?.status !== 'completed')
      await storage.removeAll(manifestKey(job))
    return false
  }
  const about = { job: job._id, ms: sinceKickOff(job) }
  metrics.jobsChanged('completed')
  const files = await untroubled(job, logger, async () => filesOf(await jobs.tasks(job._id)))
  logger.info('job.completed', { ...about, ...(files && totalOf(files)) })
  await sweepJob(job, dependencies)
  await jobEnded(job)
  return true
}

/** A storage that takes no manifest any more fails the job, but not at once. */
async function putManifest(job: ExportJob, dependencies: EndDependencies): Promise<boolean> {
  const { jobs, storage, manifestFile } = dependencies
  if (!manifestFile || !(await jobs.isDone(job))) return false
  const tasks = await jobs.tasks(job._id)
  try {
    await blaming('storage', () => writeManifestFile(job, tasks, storage))
    return true
  } catch (error) {
    const failures = await jobs.endFailed(job._id)
    if (failures !== undefined && failures >= triesFor(error)) await failAtEnd(job, error, dependencies)
    throw error
  }
}

async function failAtEnd(job: ExportJob, error: unknown, dependencies: EndDependencies): Promise<void> {
  const { jobs, storage, jobEnded } = dependencies
  const diagnostics = 'The export failed while it wrote its manifest. The log of the server has the cause.'
  const failure = { status: 500, issues: [{ severity: 'error', code: 'exception', diagnostics }] } as const
  if (!(await jobs.fail(job._id, failure))) return
  tellJobFailed(job, reasonOf(error), dependencies)
  await storage.removeAll(folderOf(job))
  await jobEnded(job)
}

/**
 * Removes what attempts have left of a completed job that lost their task. One that fails takes nothing from the
 * export, and may be done again at any time.
 */
export async function sweepJob(
  job: ExportJob,
  { jobs, storage, logger }: Pick<EndDependencies, 'jobs' | 'storage' | 'logger'>,
): Promise<void> {
  const folder = folderOf(job)
  await untroubled(job, logger, async () => {
    const files = filesOf(await jobs.tasks(job._id))
    // Without its tasks, a job that is being removed would seem to have no files.
    if ((await jobs.job(job._id))?.status !== 'completed') return
    const kept = files.map((file) => fileKey(folder, file))
    await storage.removeOthers(folder, new Set([...kept, manifestKey(job)]))
    await jobs.swept(job._id)
  })
}

function filesOf(tasks: readonly ExportTask[]): readonly OutputFile[] {
  return tasks.flatMap(({ files }) => files)
}

/** For whoever has made a job `failed`; the error itself was told by what failed. */
export function tellJobFailed(
  job: ExportJob,
  reason: FailureReason,
  { logger, metrics }: Pick<EndDependencies, 'logger' | 'metrics'>,
): void {
  metrics.jobsChanged('failed')
  logger.error('job.failed', { job: job._id, reason, ms: sinceKickOff(job) })
}

/** Does what an export can be complete without. */
async function untroubled<T>(job: ExportJob, logger: Logger, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    logger.warn('job.sweep-failed', { job: job._id, error: describeError(error) })
    return undefined
  }
}
