import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import type { ExportStorage } from '../storage/export-storage.js'
import { type RunningLimits, requirePlace, requireRoom, withoutWorkers } from './admission.js'
import { folderOf } from './export-folder.js'
import type { ExportJobs } from './export-jobs.js'
import { fingerprintOf } from './fingerprint.js'
import type { ExportJob, NewExport } from './model.js'
import { openFolder } from './open-folder.js'
import { storageProbe } from './storage-probe.js'
import { turnstile } from './turnstile.js'

export interface IntakeDependencies {
  readonly jobs: ExportJobs
  readonly storage: ExportStorage
  readonly logger: Logger
  readonly limits: RunningLimits
  /** What happens to a job when no process works. */
  readonly withoutWorkers: 'refuse' | 'wait'
  /** Whether any process works on exports. */
  hasWorker(): Promise<boolean>
  /** Tells workers of a job that is to be planned. */
  ring(job: string): Promise<void>
  /** Removes a job that somebody has begun with. */
  cleanUp(job: ExportJob, reason: 'refused'): Promise<void>
}

/** Where jobs are taken in. */
export interface Intake {
  /**
   * Stores a job. Whoever asked for it waits only for what decides; workers are told afterwards.
   *
   * @throws ExportError as for `Engine.accept`
   */
  accept(job: NewExport): Promise<void>
  /** Waits until all that was accepted has been told. */
  settled(): Promise<void>
}

/** So few that a burst is refused by a look at those that were admitted, not stored and withdrawn. */
const ADMITTED_AT_ONCE = 4

export function openIntake(dependencies: IntakeDependencies): Intake {
  const { jobs, storage, logger, limits, hasWorker, ring, cleanUp } = dependencies
  const probe = storageProbe(storage, logger)
  const admitting = turnstile(ADMITTED_AT_ONCE)
  const telling = new Set<Promise<void>>()

  const requireWorker = async (job: string) => {
    if (await hasWorker()) return
    if (dependencies.withoutWorkers === 'refuse') throw withoutWorkers()
    logger.warn('job.without-workers', { job })
  }
  const withdraw = async (job: Pick<ExportJob, '_id' | 'folder'>) => {
    if (await jobs.withdraw(job._id)) {
      logger.info('job.removed', { job: job._id, reason: 'refused' })
      // It has no files, but may have got a container of its own.
      if (storage.containers !== undefined) await storage.removeAll(folderOf(job))
      return
    }
    // Somebody who looked at the record has begun with it.
    const begun = await jobs.cancel(job._id)
    if (begun !== undefined) await cleanUp(begun, 'refused')
  }
  const admit = async (asked: Omit<NewExport, 'container'> & { fingerprint: string }, container?: string) => {
    await Promise.all([requireWorker(asked._id), requireRoom(asked, jobs, limits)])
    const job = { ...asked, folder: await openFolder(asked, container, storage, logger) }
    await jobs.accept(job)
    try {
      await requirePlace(job, jobs, limits)
    } catch (error) {
      await withdraw(job).catch((cause: unknown) =>
        logger.warn('job.removal-failed', { job: job._id, error: describeError(cause) }),
      )
      throw error
    }
  }
  /** What a job can do without: it loses no place that it has, and is found by the next look at the record. */
  const tell = async (job: string) => {
    const told = await Promise.allSettled([ring(job), jobs.place(job)])
    for (const result of told) {
      if (result.status === 'fulfilled') continue
      logger.warn('queue.ring-failed', { job, error: describeError(result.reason) })
    }
  }

  return {
    async accept({ container, ...asked }) {
      const fingerprint = fingerprintOf({ ...asked, ...(container === undefined ? {} : { container }) })
      await probe.requireUsable()
      await admitting(() => admit({ ...asked, fingerprint }, container))
      const told = tell(asked._id).finally(() => telling.delete(told))
      telling.add(told)
    },
    async settled() {
      await Promise.all(telling)
    },
  }
}
