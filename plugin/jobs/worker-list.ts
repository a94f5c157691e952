import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import type { Models } from './collections.js'
import type { WorkerProcess } from './model.js'

/** How often a process says that it works, in ms. */
const ALIVE_EVERY = 10_000
/** When a process that was not heard of is taken for dead, in ms. */
const DEAD_AFTER = 60_000
const IS_LIVE = { $expr: { $gt: ['$aliveAt', { $subtract: ['$$NOW', DEAD_AFTER] }] } }

/** Whether any process that works on tasks has been heard of lately, by the clock of the database. */
export async function hasLiveWorker({ workers }: Models): Promise<boolean> {
  return (await workers.exists(IS_LIVE)) !== null
}

/** How many processes that work on tasks have been heard of lately. */
export async function countLiveWorkers({ workers }: Models): Promise<number> {
  return workers.countDocuments(IS_LIVE)
}

/** The processes that work on tasks and have been heard of lately, by their names. */
export async function liveWorkers({ workers }: Pick<Models, 'workers'>): Promise<readonly WorkerProcess[]> {
  return workers.find(IS_LIVE).sort({ name: 1, _id: 1 }).lean<WorkerProcess[]>()
}

/** How people tell this process from others: its machine and its process id there. */
export function workerName(): string {
  return `${hostname()}:${process.pid}`
}

/** Says that this process works on tasks, now and from then on. */
export async function joinWorkers({ workers }: Models, logger: Logger): Promise<{ leave(): Promise<void> }> {
  const _id = randomUUID()
  const name = workerName()
  const say = () =>
    workers.updateOne({ _id }, { $set: { name }, $currentDate: { aliveAt: true } }, { upsert: true })
  await say()
  let saying: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    saying = say().catch((error: unknown) => logger.warn('worker.not-heard', { error: describeError(error) }))
  }, ALIVE_EVERY)
  return {
    async leave() {
      clearInterval(timer)
      // It would bring the record back.
      await saying
      await workers.deleteOne({ _id })
    },
  }
}
