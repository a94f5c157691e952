import { countLiveWorkers } from '../jobs/worker-list.js'
import type { HostCheck, PlacedRemark } from './host-check.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** Whether any process works on exports. */
export const workers: HostCheck = {
  name: 'workers',
  area: 'work',
  async run({ database, host }) {
    if (database === undefined) return []
    const live = await countLiveWorkers(database.models)
    if (live > 0) return [{ level: 'ok', what: 'There are processes with workers.', detail: `${live} live` }]
    const { withoutWorkers } = host.options
    return [
      {
        level: 'warning',
        what: 'No process with workers was heard of for a minute.',
        cost:
          withoutWorkers === 'refuse'
            ? 'Kick-offs are refused with 503.'
            : 'Exports wait until there is one.',
        remedy: 'Start the server, or a worker: a process whose option workers is above 0.',
      },
    ]
  },
}

/** Exports and tasks that do not get on. */
export const stuckWork: HostCheck = {
  name: 'stuck-work',
  area: 'work',
  async run({ database, instructions }) {
    if (database === undefined) return []
    const { jobs, tasks } = database.models
    const maxTimeMS = instructions.stepTimeout
    const count = async (model: typeof jobs | typeof tasks, filter: object) =>
      (model as typeof jobs).countDocuments(filter).maxTimeMS(maxTimeMS)
    const remarks = [
      found(
        await count(jobs, { status: 'accepted', ...olderThan('$transactionTime', 10 * MINUTE) }),
        WAITING,
      ),
      found(await count(tasks, { status: 'running', ...olderThan('$leaseUntil', 2 * MINUTE) }), ABANDONED),
      found(await count(tasks, { status: { $in: ['waiting', 'running'] }, failures: { $gt: 0 } }), FAILING),
      found(
        await count(jobs, { status: { $in: ['cancelled', 'expired'] }, ...olderThan('$endedAt', DAY) }),
        NOT_REMOVED,
      ),
      found(await count(jobs, { status: 'failed' }), FAILED),
    ].flat()
    return remarks.length > 0 ? remarks : [{ level: 'ok', what: 'No export is stuck, and none has failed.' }]
  },
}

/** The bells by which Agenda wakes workers. */
export const bells: HostCheck = {
  name: 'bells',
  area: 'work',
  async run({ database, instructions }) {
    if (database === undefined) return []
    const collection = database.db.collection('bulkexport.bells')
    const left = await collection.countDocuments(olderThan('$lockedAt', 10 * MINUTE), {
      maxTimeMS: instructions.stepTimeout,
    })
    return left > 0 ? found(left, LEFT_BELLS) : [{ level: 'ok', what: "Agenda's collection can be read." }]
  },
}

/** By the clock of the database; documents without that time do not count. */
function olderThan(field: string, ms: number) {
  return {
    $expr: { $and: [{ $eq: [{ $type: field }, 'date'] }, { $lt: [field, { $subtract: ['$$NOW', ms] }] }] },
  }
}

function found(count: number, remark: PlacedRemark): readonly PlacedRemark[] {
  return count === 0 ? [] : [{ ...remark, detail: String(count) }]
}

const WAITING: PlacedRemark = {
  level: 'warning',
  what: 'Exports were accepted more than ten minutes ago and have not begun.',
  cost: 'Their clients wait, and they count for maxRunningExports.',
  remedy: 'Look whether workers live, and for job.planning-retried in the log.',
}

const ABANDONED: PlacedRemark = {
  level: 'warning',
  what: 'Tasks have a worker that was not heard of for minutes, and no other one has taken them.',
  cost: 'Their exports stand still.',
  remedy: 'Start a worker. If some live, look at the log for queue.error and engine.reconcile-failed.',
}

const FAILING: PlacedRemark = {
  level: 'notice',
  what: 'Tasks under way have failed since their last checkpoint.',
  cost: 'They are tried again, up to ten times; then their export fails.',
  remedy: 'Look for task.retried in the log.',
}

const NOT_REMOVED: PlacedRemark = {
  level: 'warning',
  what: 'Exports ended a day ago or more, and are still not removed.',
  cost: 'Their files take room on the storage.',
  remedy:
    'Look whether workers live, and for engine.reconcile-failed in the log: is removing forbidden on the storage?',
}

const FAILED: PlacedRemark = {
  level: 'notice',
  what: 'Exports have failed.',
  cost: 'Their clients got no files. The records are removed when retention is over.',
  remedy: 'Look for job.failed and task.failed in the log.',
}

const LEFT_BELLS: PlacedRemark = {
  level: 'notice',
  what: 'Bells have been locked for more than ten minutes.',
  cost: 'A process may have died; others take its work up within half a minute.',
  remedy: 'None is needed if the workers live and no export is stuck.',
}
