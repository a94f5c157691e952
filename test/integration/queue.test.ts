import { expect } from 'chai'
import { type Connection, createConnection } from 'mongoose'
import type { Logger } from 'winston'
import { createLogger } from '../../config/logger.js'
import { readSettings } from '../../config/settings.js'
import { openQueue, type Queue, type QueueHandlers } from '../../plugin/jobs/queue.js'
import { type OpenMongoDB, openMongoDB } from '../../scripts/mongod/index.js'
import { createTestLogger, type LogRecord } from '../support/logger.js'
import { uriWithDatabase, useDatabase } from '../support/mongodb.js'
import { Calls, deferred } from './calls.js'

const COLLECTION = 'bulkexport.bells'

describe('openQueue', () => {
  describe('on a replica set', () => {
    const database = useDatabase()
    queueTests(() => database.uri, 'change stream')

    it('wakes its workers at once', async () => {
      const connection = await createConnection(database.uri).asPromise()
      const heard = new Calls()
      const queue = await openQueue({
        ...{ db: connection.db as Db, workers: 1, patience: 2000, logger: createTestLogger().logger },
        handlers: { plan: async (job) => heard.add(job), work: async () => {} },
      })
      try {
        await queue.start()
        const started = Date.now()
        for (let bell = 1; bell <= 8; bell += 1) {
          await queue.ringPlan(`job-${bell}`)
          await heard.reached(bell)
        }
        // Polling would take a second for each.
        expect(Date.now() - started).to.be.below(4000)
      } finally {
        await queue.stop()
        await connection.close()
      }
    })
  })

  describe('on a standalone server', () => {
    let server: OpenMongoDB
    let count = 0
    before('start MongoDB', async function () {
      this.timeout(600_000)
      const { mongodbUri: _others, ...settings } = readSettings()
      server = await openMongoDB({ settings, logger: createLogger({ logLevel: 'warn' }), replicaSet: false })
    })
    after(() => server?.stop())
    beforeEach(() => {
      count += 1
    })
    queueTests(() => uriWithDatabase(server.uri, `queue_${count}`), 'polling')
  })
})

type Db = NonNullable<Connection['db']>

function queueTests(uri: () => string, wakes: string): void {
  let connections: Connection[]
  let queues: Queue[]
  let records: readonly LogRecord[]
  let logger: Logger

  beforeEach(() => {
    connections = []
    queues = []
    ;({ logger, records } = createTestLogger())
  })
  afterEach(async () => {
    for (const queue of queues) await queue.stop()
    for (const connection of connections) await connection.close()
  })

  /** A queue of one process. */
  const open = async (handlers: Partial<QueueHandlers>, { workers = 2, patience = 2000 } = {}) => {
    const connection = await createConnection(uri()).asPromise()
    connections.push(connection)
    const nothing = async () => {}
    const queue = await openQueue({
      ...{ db: connection.db as Db, workers, patience, logger },
      handlers: { plan: nothing, work: nothing, ...handlers },
    })
    queues.push(queue)
    return queue
  }
  const collection = () => {
    const [connection] = connections
    if (connection === undefined) throw new Error('Open a queue first.')
    return connection.collection(COLLECTION)
  }
  const bells = () => collection().find().toArray()
  const stopAll = async () => {
    await Promise.all(queues.splice(0).map((queue) => queue.stop()))
  }

  it('calls the handler of the bell, and says how it is woken', async () => {
    const planned = new Calls()
    const worked = new Calls()
    const queue = await open({
      plan: async (job, signal) => planned.add(`${job} ${signal.aborted}`),
      work: async (signal) => worked.add(`${signal.aborted}`),
    })
    await queue.start()
    await queue.ringPlan('job-1')
    await queue.ringWork('job-1', 1)
    await Promise.all([planned.reached(1), worked.reached(1)])
    expect([...planned.all, ...worked.all]).to.deep.equal(['job-1 false', 'false'])
    expect(records.find(({ message }) => message === 'queue.started')).to.include({ wakes })
  })

  it('answers what was rung before it started', async () => {
    const planned = new Calls()
    const queue = await open({ plan: async (job) => planned.add(job) })
    await queue.ringPlan('job-1')
    await queue.start()
    await planned.reached(1)
  })

  it('leaves no bell behind', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async (job) => heard.add(job), work: async () => heard.add('work') })
    await queue.start()
    for (const job of ['a', 'b', 'c']) {
      await queue.ringPlan(job)
      await queue.ringWork(job, 3)
    }
    await heard.reached(12)
    await stopAll()
    expect(await bells()).to.deep.equal([])
  })

  it('keeps one bell for the same reason, however often it rings', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async (job) => heard.add(job), work: async () => heard.add('work') })
    for (let turn = 0; turn < 3; turn += 1) {
      await queue.ringPlan('a')
      await queue.ringWork('b', 3)
    }
    await queue.ringWork('b', 2)
    await queue.ringPlan('c')
    expect(await bells()).to.have.lengthOf(5)
    await queue.start()
    await heard.reached(5)
    await stopAll()
    expect([...heard.all].sort()).to.deep.equal(['a', 'c', 'work', 'work', 'work'])
  })

  it('rings again for a reason that was answered', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async (job) => heard.add(job) })
    await queue.ringPlan('a')
    await queue.start()
    await heard.reached(1)
    await stopAll()
    const next = await open({ plan: async (job) => heard.add(job) })
    await next.start()
    await next.ringPlan('a')
    await heard.reached(2)
  })

  it('rings in the place of a bell that was answered but not taken away', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async (job) => heard.add(job) })
    // As Agenda leaves it when its process dies between two steps.
    for (const reason of ['a', 'b']) {
      await queue.ringPlan(reason)
      await collection().updateOne({ 'data.reason': reason }, { $set: { nextRunAt: null, lockedAt: null } })
    }
    await queue.ringPlan('a')
    await queue.start()
    await heard.reached(1)
    await stopAll()
    const idle = await open({}, { workers: 0 })
    await idle.forget('c')
    expect(await bells()).to.deep.equal([])
  })

  it('never rings more bells than a few, however much there is to do', async () => {
    const queue = await open({})
    await queue.ringWork('a', 0)
    expect(await bells()).to.deep.equal([])
    await queue.ringWork('a', 100_000)
    expect((await bells()).length).to.be.within(2, 100)
  })

  it('shares the bells of one database with other processes', async () => {
    const heard = new Calls()
    const working = new Calls()
    const everybody = working.reached(2)
    const handlers = (name: string): Partial<QueueHandlers> => ({
      plan: async (job) => heard.add(job),
      // Ends only once both processes work.
      work: async () => {
        working.add(name)
        await everybody
      },
    })
    const first = await open(handlers('first'), { workers: 1 })
    const second = await open(handlers('second'), { workers: 1 })
    await Promise.all([first.start(), second.start()])
    await first.ringWork('a', 2)
    await everybody
    expect([...working.all].sort()).to.deep.equal(['first', 'second'])
    const jobs = Array.from({ length: 20 }, (_, index) => `job-${index}`)
    await Promise.all(jobs.map((job, index) => (index % 2 ? first : second).ringPlan(job)))
    await heard.reached(jobs.length)
    await stopAll()
    expect([...heard.all].sort()).to.deep.equal([...jobs].sort())
    expect(await bells()).to.deep.equal([])
  })

  it('without workers rings for others and answers nothing', async () => {
    const heard = new Calls()
    const ringer = await open({ plan: async () => heard.add('ringer') }, { workers: 0 })
    const worker = await open({ plan: async (job) => heard.add(job) })
    await ringer.start()
    await ringer.ringPlan('a')
    await worker.start()
    await heard.reached(1)
    await ringer.ringPlan('b')
    await heard.reached(2)
    await stopAll()
    expect(heard.all).to.deep.equal(['a', 'b'])
  })

  it('works on no more than its workers at the same time [KO-27]', async () => {
    const done = new Calls()
    const both = new Calls()
    let now = 0
    let most = 0
    const queue = await open({
      work: async () => {
        now += 1
        most = Math.max(most, now)
        both.add('working')
        if (both.all.length <= 2) await both.reached(2)
        await collection().countDocuments()
        now -= 1
        done.add('done')
      },
    })
    await queue.ringWork('a', 6)
    await queue.start()
    await done.reached(6)
    expect(most).to.equal(2)
  })

  it('leaves a bell that is being answered to whoever answers it', async () => {
    const reached = new Calls()
    const go = deferred()
    const queue = await open(
      {
        work: async () => {
          reached.add('work')
          await go.promise
        },
      },
      { workers: 1 },
    )
    await queue.start()
    await queue.ringWork('a', 1)
    await reached.reached(1)
    await queue.forget('a')
    await queue.ringWork('a', 1)
    const left = await bells()
    // One more, for whoever is idle.
    expect(left.map(({ lockedAt }) => lockedAt instanceof Date)).to.have.members([true, false])
    go.resolve()
    await stopAll()
  })

  it('forgets no bells of other jobs', async () => {
    const idle = await open({}, { workers: 0 })
    for (const job of ['a', 'ab', 'b']) {
      await idle.ringPlan(job)
      await idle.ringWork(job, 2)
    }
    await idle.forget('a')
    await idle.forget('none')
    const left = await bells()
    expect(left.map(({ data }) => data.reason).sort()).to.deep.equal(['ab', 'ab', 'ab', 'b', 'b', 'b'])
  })

  it('stop aborts the signal of handlers and waits for them', async () => {
    const reached = new Calls()
    const aborted = new Calls()
    const end = deferred()
    const order: string[] = []
    const queue = await open({
      work: async (signal) => {
        signal.addEventListener('abort', () => aborted.add('aborted'))
        reached.add('work')
        await end.promise
        order.push('handler')
      },
    })
    await queue.start()
    await queue.ringWork('a', 1)
    await reached.reached(1)
    const stopped = queue.stop().then(() => order.push('stop'))
    await aborted.reached(1)
    // Several turns of the database, so that a stop which does not wait has time to end.
    for (let turn = 0; turn < 20; turn += 1) await collection().countDocuments()
    expect(order).to.deep.equal([])
    end.resolve()
    await stopped
    expect(order).to.deep.equal(['handler', 'stop'])
    expect(await bells()).to.deep.equal([])
  })

  it('stop loses patience with a handler that does not end', async () => {
    const reached = new Calls()
    const end = deferred()
    const queue = await open(
      {
        work: async () => {
          reached.add('work')
          await end.promise
        },
      },
      { patience: 300 },
    )
    await queue.start()
    await queue.ringWork('a', 1)
    await reached.reached(1)
    const started = Date.now()
    await queue.stop()
    expect(Date.now() - started).to.be.within(250, 3000)
    end.resolve()
  })

  it('answers nothing after its stop, and can be stopped twice', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async () => heard.add('first') })
    await queue.start()
    await queue.stop()
    await queue.stop()
    const other = await open({ plan: async () => heard.add('second') })
    await other.start()
    await other.ringPlan('a')
    await heard.reached(1)
    expect(heard.all).to.deep.equal(['second'])
  })

  it('goes on after a handler failed, and says why it did', async () => {
    const heard = new Calls()
    const queue = await open(
      {
        plan: async (job) => {
          heard.add(job)
          if (job === 'bad') throw new Error('the handler is broken')
        },
        work: () => {
          heard.add('work')
          throw new Error('at once')
        },
      },
      { workers: 1 },
    )
    await queue.start()
    await queue.ringPlan('bad')
    await queue.ringWork('a', 1)
    await heard.reached(2)
    await queue.ringPlan('good')
    await heard.reached(3)
    await stopAll()
    const failures = records.filter(({ message }) => message === 'queue.handler-failed')
    expect(
      failures
        .map(({ error }) => String(error))
        .sort()
        .join(),
    ).to.match(/at once.*the handler is broken/)
    expect(await bells()).to.deep.equal([])
  })

  it('answers again what a process that died had answered', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async (job) => heard.add(job) })
    await queue.ringPlan('a')
    await collection().updateMany({}, { $set: { lockedAt: new Date(0) } })
    await queue.start()
    await heard.reached(1)
  })

  it('keeps a bell while it is being answered', async () => {
    const began = new Calls()
    const ended = new Calls()
    const work = async () => {
      began.add('work')
      const locked = async () => (await bells())[0]?.['lockedAt']?.getTime() ?? 0
      // Until the lock, which would run out a while later, has been renewed.
      for (const first = await locked(); (await locked()) <= first; );
      ended.add('work')
    }
    const first = await open({ work }, { workers: 1 })
    const second = await open({ work }, { workers: 1 })
    await Promise.all([first.start(), second.start()])
    await first.ringWork('a', 1)
    await ended.reached(1)
    await stopAll()
    expect(began.all).to.deep.equal(['work'])
  })

  it('survives the loss of all its bells', async () => {
    const heard = new Calls()
    const queue = await open({ plan: async (job) => heard.add(job) })
    await queue.start()
    await queue.ringPlan('a')
    await heard.reached(1)
    await collection().drop()
    await queue.ringPlan('b')
    await heard.reached(2)
    expect(heard.all).to.deep.equal(['a', 'b'])
  })
}
