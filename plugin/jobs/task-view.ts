import type { Models } from './collections.js'
import type { TaskStatus } from './model.js'

type Stages = NonNullable<Parameters<Models['tasks']['aggregate']>[0]>

/** The stages of an aggregation over the tasks that gives `PartialProgress` of jobs, each with its `job`. */
export function progressByJob(ids: readonly string[]): Stages {
  const isDone = { $eq: ['$status', 'done'] }
  return [
    { $match: { job: { $in: [...ids] } } },
    {
      $group: {
        _id: { job: '$job', kind: '$kind', type: '$type' },
        ...Object.fromEntries(STATES.map((state) => [state, { $sum: { $cond: [is(state), 1, 0] } }])),
        resources: { $sum: linesOf('output') },
        unfinishedResources: { $sum: { $cond: [isDone, 0, linesOf('output')] } },
        bytes: { $sum: sumOf('bytes', 'output') },
        files: { $sum: { $size: '$files' } },
        problems: { $sum: linesOf('error') },
        failing: { $sum: { $cond: [{ $and: [{ $gt: ['$failures', 0] }, { $not: isDone }] }, 1, 0] } },
        failureReasons: { $addToSet: { $ifNull: ['$lastFailure', '$$REMOVE'] } },
        workers: { $addToSet: { $cond: [is('running'), { $ifNull: ['$worker', '$$REMOVE'] }, '$$REMOVE'] } },
      },
    },
    { $sort: { '_id.job': 1, '_id.type': 1, '_id.kind': 1 } },
    {
      $project: {
        ...{ _id: 0, job: '$_id.job', kind: '$_id.kind', type: '$_id.type' },
        tasks: Object.fromEntries(STATES.map((state) => [state, `$${state}`])),
        ...{ resources: 1, unfinishedResources: 1, bytes: 1, files: 1, problems: 1, failing: 1 },
        ...{ failureReasons: 1, workers: 1 },
      },
    },
  ]
}

/** The same for `TaskView`: those that run, then those that have failed, those that wait, and the others. */
export function tasksByNeed(job: string, limit: number): Stages {
  const hasFailed = { $gt: ['$failures', 0] }
  const ofWaiting = { $cond: [hasFailed, 1, 2] }
  const need = { $cond: [is('running'), 0, { $cond: [is('waiting'), ofWaiting, 3] }] }
  return [
    { $match: { job } },
    {
      $project: {
        ...{ kind: 1, type: 1, status: 1, attempt: 1, failures: 1, lastFailure: 1, worker: 1, notBefore: 1 },
        resources: linesOf('output'),
        isAbandoned: { $and: [is('running'), { $lt: ['$leaseUntil', '$$NOW'] }] },
        need,
      },
    },
    { $sort: { need: 1, type: 1, _id: 1 } },
    { $limit: limit },
    { $unset: 'need' },
  ]
}

/** The same for `FileView`, by name. */
export function filesOf(job: string, limit: number): Stages {
  return [
    { $match: { job } },
    { $unwind: '$files' },
    { $replaceWith: '$files' },
    { $sort: { kind: -1, name: 1 } },
    { $limit: limit },
  ]
}

const STATES: readonly TaskStatus[] = ['waiting', 'running', 'done', 'cancelled']

const is = (state: TaskStatus) => ({ $eq: ['$status', state] })

const linesOf = (kind: string) => sumOf('resources', kind)

function sumOf(field: string, kind: string) {
  const inKind = { $cond: [{ $eq: ['$$file.kind', kind] }, `$$file.${field}`, 0] }
  return { $sum: { $map: { input: '$files', as: 'file', in: inKind } } }
}
