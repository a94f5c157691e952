import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { MongoBackend, MongoChangeStreamNotificationChannel } from '@agendajs/mongo-backend'
import { Agenda, InMemoryNotificationChannel, type Job } from 'agenda'
import type { mongo } from 'mongoose'
import type { Logger } from 'winston'
import { describeError } from '../errors.js'

/** What the queue calls when its bell rings; both may be called at any time, and in several processes at once. */
export interface QueueHandlers {
  plan(job: string, signal: AbortSignal): Promise<void>
  /** Works on tasks until there are none. */
  work(signal: AbortSignal): Promise<void>
}

export interface QueueOptions {
  readonly db: mongo.Db
  readonly handlers: QueueHandlers
  /** How many bells for work this process answers at the same time; with 0 it only rings. */
  readonly workers: number
  /** How long `stop` waits for the handlers, in ms. */
  readonly patience: number
  readonly logger: Logger
}

/**
 * The doorbell: it wakes workers, in this process and in others on the same database. It is not the record. A
 * bell that is lost costs the time until the next look at the record, never a job; one that rings twice finds
 * nothing to do.
 */
export interface Queue {
  ringPlan(job: string): Promise<void>
  /** Wakes up to this many workers; bells with the same reason that have not been answered yet count. */
  ringWork(reason: string, bells: number): Promise<void>
  /** Takes back the bells for a job that nobody has answered yet. */
  forget(job: string): Promise<void>
  start(): Promise<void>
  /** Answers no more bells and waits for the handlers, whose signal is aborted. */
  stop(): Promise<void>
}

const COLLECTION = 'bulkexport.bells'
const PLAN = 'bulk-export plan'
const WORK = 'bulk-export work'
const MOST_BELLS = 16
/** How soon a bell is heard without change streams, in ms. */
const POLL = 1000
/** Many, since planning mostly waits: for writes to land, and for hooks of the host. */
const PLANS_AT_ONCE = 20
/**
 * How long a process that died keeps the bells it had answered, in ms. Short, since Agenda leaves a timer of half
 * this time behind each answered bell, which keeps an otherwise idle process alive.
 */
const BELL_LOCK = 5000
/**
 * A bell that was answered. Agenda marks it so and removes it in a second step: when the process dies between the two, or
 * the database has no primary, the bell stays, never rings again, and takes the place of those that should.
 */
const ANSWERED = { lockedAt: null, nextRunAt: null }
/** Bells ring at once, also where the clock is behind that of whoever rings: Agenda compares with its own. */
const ALWAYS = new Date(0)
/** How often a stopping queue looks whether its handlers are done, in ms. */
const STOP_POLL = 25

/** A queue on Agenda. On a replica set change streams wake the workers at once, otherwise they poll. */
export async function openQueue({ db, handlers, workers, patience, logger }: QueueOptions): Promise<Queue> {
  const stopping = new AbortController()
  // Every task that runs listens to it.
  setMaxListeners(0, stopping.signal)
  let handling = 0
  const hasChangeStreams = await isReplicaSet(db)
  const channel = hasChangeStreams
    ? new MongoChangeStreamNotificationChannel({ db, collection: COLLECTION })
    : new InMemoryNotificationChannel()
  const agenda = new Agenda({
    backend: new MongoBackend({ mongo: db, collection: COLLECTION }),
    notificationChannel: channel,
    processEvery: POLL,
    removeOnComplete: true,
  })
  agenda.on('error', (error: unknown) => logger.warn('queue.error', { error: describeError(error) }))
  await agenda.ready

  // One declared parameter: Agenda takes a function with two for one that calls back, and never ends it.
  const answer =
    (handle: (data: BellData, signal: AbortSignal) => Promise<void>) => async (job: Job<BellData>) => {
      handling += 1
      const keeping = setInterval(() => {
        job
          .touch()
          .catch((error: unknown) => logger.warn('queue.touch-failed', { error: describeError(error) }))
      }, BELL_LOCK / 3)
      try {
        await handle(job.attrs.data, stopping.signal)
      } catch (error) {
        // The record still says that there is work, and the next look at it rings again.
        if (!stopping.signal.aborted)
          logger.error('queue.handler-failed', { bell: job.attrs.data, error: describeError(error) })
      } finally {
        clearInterval(keeping)
        handling -= 1
      }
    }
  if (workers > 0) {
    agenda.define<BellData>(
      PLAN,
      answer(({ reason }, signal) => handlers.plan(reason, signal)),
      {
        concurrency: PLANS_AT_ONCE,
        lockLimit: PLANS_AT_ONCE,
        lockLifetime: BELL_LOCK,
      },
    )
    agenda.define<BellData>(
      WORK,
      answer((_, signal) => handlers.work(signal)),
      {
        concurrency: workers,
        lockLimit: workers,
        lockLifetime: BELL_LOCK,
      },
    )
  }
  const ring = async (name: string, data: BellData) => {
    const bell = agenda.create(name, data)
    // Whoever answers a bell for work now may be busy for hours, while others are idle.
    const unanswered = name === WORK ? { lockedAt: null } : {}
    const unique = { name, 'data.reason': data.reason, 'data.bell': data.bell, ...unanswered }
    await db.collection(COLLECTION).deleteOne({ ...unique, ...ANSWERED })
    await bell.unique(unique, { insertOnly: true }).schedule(ALWAYS).save()
  }
  return {
    ringPlan: (job) => ring(PLAN, { reason: job, bell: 0 }),
    async ringWork(reason, bells) {
      const count = Math.min(bells, MOST_BELLS)
      await Promise.all(Array.from({ length: count }, (_, bell) => ring(WORK, { reason, bell })))
    },
    async forget(job) {
      // Agenda's own `cancel` would also take bells that are being answered, and with them the lease.
      const unanswered = { 'data.reason': job, lockedAt: null }
      await db.collection(COLLECTION).deleteMany({ $or: [unanswered, ANSWERED] })
    },
    async start() {
      if (workers === 0) return
      await agenda.start()
      logger.info('queue.started', { workers, wakes: hasChangeStreams ? 'change stream' : 'polling' })
    },
    async stop() {
      stopping.abort(new Error('This worker is stopping.'))
      if (workers === 0) return
      const deadline = Date.now() + patience
      try {
        // Agenda's own `drain` misses the end of a job that is removed on completion, and then never resolves.
        while (handling > 0 || (await runningNow(agenda)) > 0) {
          if (Date.now() > deadline) break
          await delay(STOP_POLL)
        }
        await agenda.stop(false)
      } catch (error) {
        logger.warn('queue.stopped-without-database', { error: describeError(error) })
        await agenda.stop(false).catch((cause: unknown) => {
          logger.warn('queue.bells-kept', { error: describeError(cause) })
        })
        await channel.disconnect()
      }
    },
  }
}

async function runningNow(agenda: Agenda): Promise<number> {
  const { runningJobs } = await agenda.getRunningStats()
  return typeof runningJobs === 'number' ? runningJobs : runningJobs.length
}

interface BellData {
  /** The job that is meant, or why the bell rings. */
  readonly reason: string
  readonly bell: number
}

async function isReplicaSet(db: mongo.Db): Promise<boolean> {
  const hello = await db.command({ hello: 1 })
  return typeof hello['setName'] === 'string' || hello['msg'] === 'isdbgrid'
}
