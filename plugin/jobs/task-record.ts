import type { Models } from './collections.js'
import type { FailureReason } from './failure-reason.js'
import type { ExportJob, ExportTask, OutputFile, Position, TaskStatus } from './model.js'

/** A started task: the runner that holds it names its attempt in every write. */
export type HeldTask = ExportTask & { readonly status: 'running' }

/**
 * The record of all tasks. Each method is one state change that names the state it expects; `false` or
 * `undefined` says that the state was another one, so somebody else was first. Times are compared by the
 * clock of the database.
 */
export interface TaskRecord {
  tasks(job: string): Promise<readonly ExportTask[]>
  /**
   * Takes a task that waits, or whose runner is taken for dead: → `running` with the next attempt. The job that
   * has been served least comes first, so that small exports do not wait for large ones.
   */
  claim(): Promise<HeldTask | undefined>
  /** Keeps a task for another lease; `false` when this attempt is no longer the one that counts. */
  renew(task: HeldTask): Promise<boolean>
  /** Whether another job waits for a worker that has been served no more than `served` resources. */
  isOtherJobWaiting(task: HeldTask, served: number): Promise<boolean>
  /** A number that no other file of this job has or had after the same `stem`; none once the job has ended. */
  nextFileNumber(task: HeldTask, stem: string): Promise<number | undefined>
  /** The checkpoint: the files count from here on, and the position is after them. */
  commit(task: HeldTask, files: readonly OutputFile[], position: Position): Promise<boolean>
  /** Forgets what this task has exported so far; gives the files that no longer count. */
  restart(task: HeldTask): Promise<readonly OutputFile[] | undefined>
  /** `running` → `done`, → `waiting` for a worker that stops or gives way, → `cancelled` when the job has ended. */
  release(task: HeldTask, status: Exclude<TaskStatus, 'running'>): Promise<boolean>
  /**
   * `running` → `waiting` after a failure, which counts until the next checkpoint.
   *
   * @param pause how long nobody may take it, in ms
   * @param reason for people who look at the export
   */
  retry(task: HeldTask, pause: number, reason?: FailureReason): Promise<boolean>
  /** How many tasks wait for a runner, those of dead runners among them. */
  countClaimable(): Promise<number>
}

/** Checkpoints that a job keeps for telling its speed. */
export const KEPT_CHECKPOINTS = 30

/**
 * @param lease how long a runner that is not heard of keeps its task, in ms
 * @param worker the name under which this process claims, see `workerName`
 */
export function taskRecord(
  { jobs, tasks }: Pick<Models, 'jobs' | 'tasks'>,
  lease: number,
  worker: string,
): TaskRecord {
  const held = ({ _id, attempt }: HeldTask) => ({ _id, attempt, status: 'running' as const })
  const isOver = (time: string) => ({ $lt: [time, '$$NOW'] })
  const claimable = {
    $or: [
      // A time that is not there is before every other.
      { status: 'waiting' as const, $expr: isOver('$notBefore') },
      { status: 'running' as const, $expr: isOver('$leaseUntil') },
    ],
  }
  const leaseUntil = { $add: ['$$NOW', lease] }
  /** Not `distinct`, which does not know the time of the database. */
  const jobsThatWait = async (but?: string): Promise<readonly string[]> => {
    const filter = but === undefined ? claimable : { ...claimable, job: { $ne: but } }
    const found = await tasks.aggregate<{ _id: string }>([{ $match: filter }, { $group: { _id: '$job' } }])
    return found.map(({ _id }) => _id)
  }
  const jobsByNeed = async (): Promise<readonly string[]> => {
    const waiting = await jobsThatWait()
    if (waiting.length < 2) return waiting
    const known = await jobs
      .find({ _id: { $in: waiting } })
      .sort({ served: 1, transactionTime: 1, _id: 1 })
      .select({ _id: 1 })
      .lean<Pick<ExportJob, '_id'>[]>()
    return [...new Set([...known.map(({ _id }) => _id), ...waiting])]
  }
  return {
    tasks: (job) => tasks.find({ job }).lean<ExportTask[]>(),
    async claim() {
      // A runner that was never heard of again may have been killed by this very task.
      const failures = { $add: ['$failures', { $cond: [{ $eq: ['$status', 'running'] }, 1, 0] }] }
      const attempt = { $add: ['$attempt', 1] }
      for (const job of await jobsByNeed()) {
        const claimed = await tasks
          .findOneAndUpdate(
            { job, ...claimable },
            [
              { $set: { status: 'running', attempt, failures, leaseUntil, worker: { $literal: worker } } },
              { $unset: 'notBefore' },
            ],
            { returnDocument: 'after', updatePipeline: true },
          )
          .lean<HeldTask>()
        if (claimed !== null) return claimed
      }
      return undefined
    },
    async renew(task) {
      const { matchedCount } = await tasks.updateOne(held(task), [{ $set: { leaseUntil } }], {
        updatePipeline: true,
      })
      return matchedCount === 1
    },
    async isOtherJobWaiting({ job }, served) {
      const waiting = await jobsThatWait(job)
      if (waiting.length === 0) return false
      return (
        (await jobs.exists({ _id: { $in: waiting }, status: 'running', served: { $lte: served } })) !== null
      )
    },
    async nextFileNumber({ job }, stem) {
      const numbered = await jobs
        .findOneAndUpdate(
          { _id: job, status: 'running' },
          { $inc: { [`fileNumbers.${stem}`]: 1 } },
          { returnDocument: 'after', projection: { fileNumbers: 1 } },
        )
        .lean<Pick<ExportJob, 'fileNumbers'>>()
      return numbered?.fileNumbers[stem]
    },
    async commit(task, files, position) {
      const { matchedCount } = await tasks.updateOne(held(task), {
        $push: { files: { $each: [...files] } },
        $set: { position, failures: 0 },
      })
      if (matchedCount !== 1) return false
      const resources = files.reduce((sum, file) => sum + file.resources, 0)
      const all = { $concatArrays: [{ $ifNull: ['$lately', []] }, [{ at: '$$NOW', resources }]] }
      await jobs.updateOne(
        { _id: task.job },
        [
          {
            $set: {
              served: { $add: ['$served', resources] },
              lately: { $slice: [all, -KEPT_CHECKPOINTS] },
            },
          },
        ],
        { updatePipeline: true },
      )
      return true
    },
    async restart(task) {
      const forget = { $set: { files: [] }, $unset: { position: 1 } } as const
      const before = await tasks
        .findOneAndUpdate(held(task), forget, { returnDocument: 'before' })
        .lean<ExportTask>()
      return before?.files
    },
    async release(task, status) {
      const { matchedCount } = await tasks.updateOne(held(task), { $set: { status } })
      return matchedCount === 1
    },
    async retry(task, pause, reason) {
      const { matchedCount } = await tasks.updateOne(
        held(task),
        [
          {
            $set: {
              status: 'waiting',
              failures: { $add: ['$failures', 1] },
              notBefore: { $add: ['$$NOW', pause] },
              ...(reason === undefined ? {} : { lastFailure: reason }),
            },
          },
        ],
        { updatePipeline: true },
      )
      return matchedCount === 1
    },
    countClaimable: () => tasks.countDocuments(claimable),
  }
}
