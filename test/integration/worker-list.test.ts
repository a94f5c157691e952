import { expect } from 'chai'
import { type Connection, createConnection } from 'mongoose'
import { ExportError } from '../../plugin/errors.js'
import { createModels, type Models } from '../../plugin/jobs/collections.js'
import { type Engine, startEngine } from '../../plugin/jobs/engine.js'
import { hasLiveWorker, joinWorkers } from '../../plugin/jobs/worker-list.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { waitForDocument } from '../support/change-stream.js'
import { createTestLogger, type LogRecord } from '../support/logger.js'
import { useDatabase } from '../support/mongodb.js'
import { ENGINE_OPTIONS, searchOfPatients } from './engine-options.js'
import { newJob } from './job-record.js'

const MINUTE = 60_000
/** For jobs that have nothing to write. */
const NOWHERE: ExportStorage = {
  write: () => Promise.reject(new Error('There is nothing to write.')),
  read: () => Promise.reject(new Error('There is nothing to read.')),
  removeAll: async () => {},
  removeOthers: async () => {},
  check: async () => {},
}

describe('the list of workers', () => {
  const database = useDatabase()
  let connections: Connection[]
  let engines: Engine[]
  let memberships: Awaited<ReturnType<typeof joinWorkers>>[]
  let models: Models
  beforeEach(async () => {
    connections = []
    engines = []
    memberships = []
    models = createModels(await connect())
  })
  afterEach(async () => {
    for (const membership of memberships) await membership.leave()
    for (const engine of engines) await engine.stop()
    for (const connection of connections) await connection.close()
  })
  const connect = async () => {
    const connection = await createConnection(database.uri).asPromise()
    connections.push(connection)
    return connection
  }
  const join = async () => {
    const membership = await joinWorkers(models, createTestLogger().logger)
    memberships.push(membership)
    return membership
  }
  const workers = () => database.db.collection<{ _id: string; aliveAt: Date }>('bulkexport.workers')
  /** Lets all have been heard of that long ago, by the clock of the database. */
  const age = (ms: number) => workers().updateMany({}, [{ $set: { aliveAt: { $subtract: ['$$NOW', ms] } } }])

  it('is empty at first, and has whoever joined until they leave', async () => {
    expect(await hasLiveWorker(models), 'at first').to.equal(false)
    const [first, second] = [await join(), await join()]
    expect(await hasLiveWorker(models)).to.equal(true)
    await first.leave()
    expect(await hasLiveWorker(models), 'one of two').to.equal(true)
    await second.leave()
    expect(await hasLiveWorker(models), 'none').to.equal(false)
    expect(await workers().countDocuments()).to.equal(0)
  })

  it('goes by the clock of the database', async () => {
    const { localTime: before } = await database.db.command({ hello: 1 })
    await join()
    const { localTime: after } = await database.db.command({ hello: 1 })
    const [worker] = await workers().find().toArray()
    expect(worker?.aliveAt.getTime()).to.be.within(before.getTime(), after.getTime())
  })

  for (const [silence, expected] of [
    [0, true],
    [MINUTE / 2, true],
    [MINUTE, false],
    [60 * MINUTE, false],
  ] as const) {
    it(`takes one that was heard of ${silence / 1000} s ago for ${expected ? 'alive' : 'dead'}`, async () => {
      await join()
      await age(silence)
      expect(await hasLiveWorker(models)).to.equal(expected)
      await join()
      expect(await hasLiveWorker(models), 'another one').to.equal(true)
    })
  }

  it('does not keep the dead for ever', async () => {
    await start(0)
    const indexes = await workers().indexes()
    expect(indexes.map(({ key, expireAfterSeconds }) => [key, expireAfterSeconds])).to.deep.include([
      { aliveAt: 1 },
      3600,
    ])
  })

  let log: readonly LogRecord[]
  const start = async (count: number, withoutWorkers: 'refuse' | 'wait' = 'refuse') => {
    const { logger, records } = createTestLogger()
    log = records
    const engine = await startEngine({
      ...ENGINE_OPTIONS,
      ...{ connection: await connect(), search: searchOfPatients(async () => []), storage: NOWHERE, logger },
      ...{ workers: count, withoutWorkers },
    })
    engines.push(engine)
    return engine
  }
  const job = (id: string) => ({ ...newJob(id, ['Patient']), level: 'system' as const })
  const refused = async (accepting: Promise<void>) => {
    const [result] = await Promise.allSettled([accepting])
    if (result.status === 'fulfilled') return expect.fail('it was accepted')
    expect(result.reason).to.be.instanceOf(ExportError)
    const { status, retryAfter, issues } = result.reason as ExportError
    expect([status, issues.map(({ code }) => code)]).to.deep.equal([503, ['transient']])
    expect(retryAfter).to.be.above(0)
    return issues[0]?.diagnostics
  }
  const stored = () => database.db.collection('bulkexport.jobs').countDocuments()
  const completed = (id: string) =>
    waitForDocument(
      database.db.collection<{ _id: string; status: string }>('bulkexport.jobs'),
      ({ _id, status }) => _id === id && status === 'completed',
    )

  describe('for an engine without workers of its own', () => {
    it('microsoft/fhir-server#3425: a job that nobody would work on is refused, and nothing of it stored', async () => {
      const engine = await start(0)
      expect(await refused(engine.accept(job('a')))).to.match(/worker/)
      expect(await stored()).to.equal(0)
      expect(await database.db.collection('bulkexport.bells').countDocuments()).to.equal(0)
    })

    it('lets jobs wait when that is wanted, and the log says so', async () => {
      const engine = await start(0, 'wait')
      await engine.accept(job('a'))
      const warnings = log.filter(({ message }) => message === 'job.without-workers')
      expect(warnings.map((warning) => [warning.level, warning['job']])).to.deep.equal([['warn', 'a']])
      await start(1)
      await completed('a')
    })

    it('has jobs accepted as long as another engine works', async () => {
      const asking = await start(0)
      const working = await start(1)
      await asking.accept(job('a'))
      await completed('a')
      await working.stop()
      await refused(asking.accept(job('b')))
      await start(2)
      await asking.accept(job('b'))
      await completed('b')
    })

    it('does not count another one that does not work either', async () => {
      const engine = await start(0)
      await start(0)
      await refused(engine.accept(job('a')))
    })

    it('has jobs refused a minute after the last worker died', async () => {
      const engine = await start(0)
      await join()
      await age(MINUTE / 2)
      await engine.accept(job('a'))
      await age(MINUTE)
      await refused(engine.accept(job('b')))
      expect(await stored()).to.equal(1)
    })
  })

  it('is not asked for an engine that works itself', async () => {
    const engine = await start(1)
    await age(60 * MINUTE)
    await engine.accept(job('a'))
    await completed('a')
  })
})
