import { type Connection, mongo } from 'mongoose'
import type { ExportJob, JobFailure, JobStatus, Models } from './model.js'
import { type TaskPlan, taskSubjects } from './task-plan.js'
import { type TaskRecord, taskRecord } from './task-record.js'

export type { HeldTask } from './task-record.js'

/**
 * The record of all exports. Each method is one state change that names the state it expects; `false` or
 * `undefined` says that the state was another one, so somebody else was first. Times are compared by the
 * clock of the database.
 */
export interface ExportJobs extends TaskRecord {
  /** Stores a new job in state `accepted`. */
  accept(job: Omit<ExportJob, 'status' | 'fileNumbers' | 'served'>): Promise<void>
  /** Removes a job that is still `accepted`. Its planner, if it has one, removes what it has made for it. */
  withdraw(job: string): Promise<boolean>
  job(id: string): Promise<ExportJob | undefined>
  /**
   * `accepted` → `running` with this cohort, with all its tasks; what is there already stays. Removes the
   * cohort when another one became the job's, or the job has ended.
   */
  plan(job: Pick<ExportJob, '_id'> & TaskPlan, frozen?: string): Promise<void>
  /** Counts a failure of planning; gives how many there are, none when it is not `accepted` any more. */
  planFailed(job: string): Promise<number | undefined>
  /** → `completed` when every planned task is done; may be called at any time. */
  settle(job: Pick<ExportJob, '_id'> & TaskPlan): Promise<boolean>
  /** One of these states → `failed`; takes the tasks away from their runners. */
  fail(job: string, failure: JobFailure, from?: readonly ('accepted' | 'running')[]): Promise<boolean>
  /** Any state but `cancelled` and `expired` → `cancelled`; takes the tasks away from their runners. */
  cancel(job: string): Promise<boolean>
  /**
   * `completed` and `failed` → `expired`, all that ended at least this long ago.
   *
   * @param retention in ms
   * @returns how many there were
   */
  expire(retention: number): Promise<number>
  /** Removes every document of a job, the job itself last. */
  remove(job: string): Promise<void>
  /** Jobs that a worker still has to do something for, if only to remove them. */
  unsettled(): Promise<readonly ExportJob[]>
  /** The job keeps its place among those that are under way, whichever comes with an earlier time. */
  place(job: string): Promise<void>
  /**
   * How many jobs have not ended.
   *
   * @param only those of this owner or with this fingerprint, and those that come before this job:
   * they have a place, or an earlier transaction time or, with the same, a lower id
   */
  countUnfinished(only?: {
    readonly owner?: string
    readonly fingerprint?: string
    readonly before?: Pick<ExportJob, '_id' | 'transactionTime'>
  }): Promise<number>
}

/**
 * Opens the record on a connection, with its indexes.
 *
 * @param lease how long a runner that is not heard of keeps its task, in ms
 */
export async function openExportJobs(
  connection: Connection,
  models: Models,
  lease: number,
): Promise<ExportJobs> {
  await connection.asPromise()
  await Promise.all(Object.values(models).map((model) => model.createIndexes()))
  return exportJobs(models, lease)
}

function exportJobs({ jobs, tasks, cohort }: Models, lease: number): ExportJobs {
  const takeAway = (job: string) =>
    tasks.updateMany(
      { job, status: { $in: ['waiting', 'running'] } },
      { $set: { status: 'cancelled' }, $inc: { attempt: 1 } },
    )
  return {
    ...taskRecord({ jobs, tasks }, lease),
    async accept(job) {
      await jobs.create({ ...job, status: 'accepted', fileNumbers: {}, served: 0 })
    },
    async withdraw(job) {
      const { deletedCount } = await jobs.deleteOne({ _id: job, status: 'accepted' })
      return deletedCount === 1
    },
    async job(id) {
      return (await jobs.findById(id).lean<ExportJob>()) ?? undefined
    },
    async plan(planned, frozen) {
      const { _id: job } = planned
      await jobs.updateOne(
        { _id: job, status: 'accepted' },
        {
          $set: { status: 'running', ...(frozen ? { cohort: frozen } : {}) },
          $currentDate: { startedAt: true },
        },
      )
      const all = taskSubjects(planned).map((subject, index) => {
        return {
          _id: `${job}-${index}`,
          job,
          ...subject,
          status: 'waiting',
          attempt: 0,
          failures: 0,
          files: [],
        }
      })
      if ((await tasks.countDocuments({ job })) < all.length) {
        await insertMissing(() => tasks.insertMany(all, { ordered: false }))
      }
      // It may have ended in the meantime, and then nobody looks after its tasks.
      const now = await jobs.findById(job).lean<ExportJob>()
      if (now?.status !== 'running' && now?.status !== 'completed') await tasks.deleteMany({ job })
      if (frozen !== undefined && now?.cohort !== frozen) await cohort.deleteMany({ cohort: frozen })
    },
    async planFailed(job) {
      const counted = await jobs
        .findOneAndUpdate(
          { _id: job, status: 'accepted' },
          { $inc: { planFailures: 1 } },
          { returnDocument: 'after' },
        )
        .lean<ExportJob>()
      return counted?.planFailures
    },
    async settle(planned) {
      const { _id: job } = planned
      const all = taskSubjects(planned).length
      if ((await tasks.countDocuments({ job, status: 'done' })) !== all) return false
      const { modifiedCount } = await jobs.updateOne(
        { _id: job, status: 'running' },
        { $set: { status: 'completed' }, $currentDate: { endedAt: true } },
      )
      return modifiedCount === 1
    },
    async fail(job, failure, from = ['accepted', 'running']) {
      const { modifiedCount } = await jobs.updateOne(
        { _id: job, status: { $in: [...from] } },
        { $set: { status: 'failed', failure }, $currentDate: { endedAt: true } },
      )
      if (modifiedCount === 1) await takeAway(job)
      return modifiedCount === 1
    },
    async cancel(job) {
      const { modifiedCount } = await jobs.updateOne(
        { _id: job, status: { $nin: ['cancelled', 'expired'] } },
        { $set: { status: 'cancelled' }, $currentDate: { endedAt: true } },
      )
      if (modifiedCount === 1) await takeAway(job)
      return modifiedCount === 1
    },
    async expire(retention) {
      const { modifiedCount } = await jobs.updateMany(
        {
          status: { $in: ['completed', 'failed'] },
          $expr: { $lte: ['$endedAt', { $subtract: ['$$NOW', retention] }] },
        },
        { $set: { status: 'expired' } },
      )
      return modifiedCount
    },
    async remove(job) {
      await tasks.deleteMany({ job })
      await cohort.deleteMany({ job })
      await jobs.deleteOne({ _id: job })
    },
    unsettled: () => jobs.find({ status: { $in: UNSETTLED } }).lean<ExportJob[]>(),
    async place(job) {
      await jobs.updateOne({ _id: job }, { $set: { placed: true } })
    },
    countUnfinished: ({ before, ...only } = {}) =>
      // Not by `status`: a job that starts while an index on it is walked would be counted in both states.
      jobs.countDocuments({ endedAt: null, ...only, ...(before && { $or: earlierThan(before) }) }),
  }
}

function earlierThan({ _id, transactionTime }: Pick<ExportJob, '_id' | 'transactionTime'>) {
  return [
    { placed: true, _id: { $ne: _id } },
    { transactionTime: { $lt: transactionTime } },
    { transactionTime, _id: { $lt: _id } },
  ]
}

const UNSETTLED: readonly JobStatus[] = ['accepted', 'running', 'cancelled', 'expired']

const DUPLICATE_KEY = 11000

/** Runs an unordered insert of documents with planned ids; those that are there already are left as they are. */
async function insertMissing(insert: () => Promise<unknown>): Promise<void> {
  try {
    await insert()
  } catch (error) {
    const isRepeat =
      error instanceof mongo.MongoBulkWriteError &&
      [error.writeErrors].flat().every(({ code }) => code === DUPLICATE_KEY)
    if (!isRepeat) throw error
  }
}
