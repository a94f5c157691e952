import { type Connection, mongo } from 'mongoose'
import type { Models } from './collections.js'
import type { ExportJobs } from './export-record.js'
import type { ExportJob, JobStatus } from './model.js'
import { type TaskPlan, taskSubjects } from './task-plan.js'
import { taskRecord } from './task-record.js'
import { workerName } from './worker-list.js'

export type { ExportJobs } from './export-record.js'
export type { HeldTask } from './task-record.js'

/**
 * Opens the record on a connection, with its indexes.
 *
 * @param lease how long a runner that is not heard of keeps its task, in ms
 * @param worker the name under which this process claims tasks
 */
export async function openExportJobs(
  connection: Connection,
  models: Models,
  lease: number,
  worker: string = workerName(),
): Promise<ExportJobs> {
  await connection.asPromise()
  await Promise.all(Object.values(models).map((model) => model.createIndexes()))
  return exportJobs(models, lease, worker)
}

function exportJobs({ jobs, tasks, cohort }: Models, lease: number, worker: string): ExportJobs {
  const takeAway = (job: string) =>
    tasks.updateMany(
      { job, status: { $in: ['waiting', 'running'] } },
      { $set: { status: 'cancelled' }, $inc: { attempt: 1 } },
    )
  /** Slices and scans are those that the job got when it began to run, whichever planner did that. */
  const subjectsOf = async (planned: Pick<ExportJob, '_id'> & TaskPlan) => {
    const { slices, scans } = (await jobs.findById(planned._id).lean<ExportJob>()) ?? {}
    return taskSubjects({ ...planned, ...(slices && { slices }), ...(scans && { scans }) })
  }
  const isDone = async (planned: Pick<ExportJob, '_id'> & TaskPlan) => {
    // One look is enough for all tasks of a job but the last.
    if (await tasks.exists({ job: planned._id, status: { $in: ['waiting', 'running'] } })) return false
    const all = (await subjectsOf(planned)).length
    return (await tasks.countDocuments({ job: planned._id, status: 'done' })) === all
  }
  return {
    ...taskRecord({ jobs, tasks }, lease, worker),
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
    async now() {
      const hello = await jobs.db.db?.command({ hello: 1 })
      return hello?.['localTime'] as Date
    },
    async plan(planned, { frozen, scans, readings } = {}) {
      const { _id: job } = planned
      await jobs.updateOne(
        { _id: job, status: 'accepted' },
        {
          $set: {
            status: 'running',
            ...(frozen ? { cohort: frozen.id, slices: frozen.slices } : {}),
            ...(scans ? { scans } : {}),
            ...(readings ? { readings } : {}),
          },
          $currentDate: { startedAt: true },
        },
      )
      const all = (await subjectsOf(planned)).map((subject, index) => {
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
      if (frozen !== undefined && now?.cohort !== frozen.id) await cohort.deleteMany({ cohort: frozen.id })
      return all.length
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
    async endFailed(job) {
      const counted = await jobs
        .findOneAndUpdate(
          { _id: job, status: 'running' },
          { $inc: { endFailures: 1 } },
          { returnDocument: 'after' },
        )
        .lean<ExportJob>()
      return counted?.endFailures
    },
    isDone,
    async settle(planned) {
      const { _id: job } = planned
      if (!(await isDone(planned))) return false
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
      const cancelled = await jobs
        .findOneAndUpdate(
          { _id: job, status: { $nin: ['cancelled', 'expired'] } },
          { $set: { status: 'cancelled' }, $currentDate: { endedAt: true } },
          { returnDocument: 'before' },
        )
        .lean<ExportJob>()
      if (cancelled !== null) await takeAway(job)
      return cancelled ?? undefined
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
    async swept(job) {
      await jobs.updateOne({ _id: job, status: 'completed' }, { $set: { swept: true } })
    },
    unsettled: () =>
      jobs
        .find({ $or: [{ status: { $in: UNSETTLED } }, { status: 'completed', swept: { $ne: true } }] })
        .lean<ExportJob[]>(),
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
