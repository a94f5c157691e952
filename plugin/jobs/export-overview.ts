import type { Models } from './collections.js'
import type {
  ExportDetails,
  ExportList,
  ExportView,
  FileView,
  ListQuery,
  PartialProgress,
  ReadingView,
  TaskView,
} from './export-view.js'
import type { ExportJob, JobStatus, WorkerProcess } from './model.js'
import { filesOf, progressByJob, tasksByNeed } from './task-view.js'
import { liveWorkers } from './worker-list.js'

/** A look at all exports, whoever they belong to. Changes nothing, and costs a few queries however many there are. */
export interface ExportOverview {
  list(query: ListQuery): Promise<ExportList>
  /** `undefined` when there is none. */
  details(job: string): Promise<ExportDetails | undefined>
  /** The processes that are there to work on tasks. */
  workers(): Promise<readonly WorkerProcess[]>
}

/** So many tasks and files of one export are shown at most. */
export const MOST_SHOWN = 500

/** What is shown: the caller, the patients and the bounds of slices stay where they are. */
const SUMMARY = {
  ...{ status: 1, owner: 1, level: 1, groupId: 1, types: 1, transactionTime: 1, startedAt: 1, endedAt: 1 },
  ...{ planFailures: 1, failure: 1, lately: 1 },
} as const
const DETAILS = {
  ...{ ...SUMMARY, base: 1, since: 1, before: 1, filters: 1, elements: 1, notes: 1, readings: 1 },
  patients: { $cond: [{ $isArray: '$patients' }, { $size: '$patients' }, '$$REMOVE'] },
}

type JobProgress = PartialProgress & { readonly job: string }

type FoundDetails = Omit<ExportDetails, 'now' | 'progress' | 'tasks' | 'files' | 'filters' | 'notes'> &
  Pick<ExportJob, 'filters' | 'notes'> & { readonly now: Date }

export function exportOverview({ jobs, tasks, workers }: Models): ExportOverview {
  return {
    async list({ status, after, limit }) {
      const [found, counted, now] = await Promise.all([
        jobs
          .find({ ...(status && { status }), ...(after && { $or: olderThan(after) }) })
          .sort({ transactionTime: -1, _id: -1 })
          .limit(limit + 1)
          .select(SUMMARY)
          .lean<Omit<ExportView, 'progress'>[]>(),
        jobs.aggregate<{ _id: JobStatus; count: number }>([
          { $group: { _id: '$status', count: { $sum: 1 } } },
        ]),
        jobs.db.db?.command({ hello: 1 }),
      ])
      const shown = found.slice(0, limit)
      const progress = await tasks.aggregate<JobProgress>(progressByJob(shown.map(({ _id }) => _id)))
      const byJob = new Map<string, PartialProgress[]>(shown.map(({ _id }) => [_id, []]))
      for (const { job, ...part } of progress) byJob.get(job)?.push(part)
      return {
        now: now?.['localTime'] as Date,
        exports: shown.map((job) => ({ ...job, progress: byJob.get(job._id) ?? [] })),
        hasMore: found.length > limit,
        counts: new Map(counted.map(({ _id, count }) => [_id, count])),
      }
    },
    async details(id) {
      const [[job], progress, taskViews, files] = await Promise.all([
        jobs.aggregate<FoundDetails>([{ $match: { _id: id } }, { $project: { ...DETAILS, now: '$$NOW' } }]),
        tasks.aggregate<PartialProgress>(progressByJob([id])),
        tasks.aggregate<TaskView>(tasksByNeed(id, MOST_SHOWN)),
        tasks.aggregate<FileView>(filesOf(id, MOST_SHOWN)),
      ])
      if (job === undefined) return undefined
      const { filters = [], notes = [], readings, ...rest } = job
      const known = readingsIn(readings)
      return {
        ...{ ...rest, notes, progress, tasks: taskViews, files },
        filters: filters.map(({ type, query }) => ({
          type,
          parameters: [...new Set(new URLSearchParams(query).keys())],
        })),
        ...(known && { readings: known }),
      }
    },
    workers: () => liveWorkers({ workers }),
  }
}

function olderThan({ _id, transactionTime }: Pick<ExportJob, '_id' | 'transactionTime'>) {
  return [{ transactionTime: { $lt: transactionTime } }, { transactionTime, _id: { $lt: _id } }]
}

/** Processes of another version of the plugin may have written it. */
function readingsIn(value: unknown): readonly ReadingView[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.flatMap((each: unknown) => {
    const { way, reason, types } = (each ?? {}) as Readonly<Record<string, unknown>>
    return Array.isArray(types)
      ? [{ way: String(way), reason: String(reason), types: types.map(String) }]
      : []
  })
}
