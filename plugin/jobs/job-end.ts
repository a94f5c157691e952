import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import type { ExportStorage } from '../storage/export-storage.js'
import type { ExportJobs } from './export-jobs.js'
import type { FailureReason } from './failure-reason.js'
import { sinceKickOff, totalOf } from './log-fields.js'
import type { Metrics } from './metrics.js'
import type { ExportJob } from './model.js'
import { fileKey } from './part-writer.js'

export interface EndDependencies {
  readonly jobs: ExportJobs
  readonly storage: ExportStorage
  readonly logger: Logger
  readonly metrics: Metrics
  /** Told once when a job has been completed or has failed. */
  jobEnded(job: ExportJob): Promise<void>
}

/**
 * For whoever has made a job `completed`: tells of it, and removes what attempts have left behind that lost their
 * task. A sweep that fails takes nothing from the export.
 */
export async function jobCompleted(job: ExportJob, dependencies: EndDependencies): Promise<void> {
  const { jobs, storage, logger, metrics, jobEnded } = dependencies
  const about = { job: job._id, ms: sinceKickOff(job) }
  metrics.jobsChanged('completed')
  const files = await untroubled(job, logger, async () =>
    (await jobs.tasks(job._id)).flatMap((task) => task.files),
  )
  logger.info('job.completed', { ...about, ...(files && totalOf(files)) })
  if (files !== undefined) {
    const kept = new Set(files.map((file) => fileKey(job._id, file)))
    await untroubled(job, logger, () => storage.removeOthers(job._id, kept))
  }
  await jobEnded(job)
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
