import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { isDatabaseUnreachable } from '../../plugin/errors.js'
import { reasonOf } from '../../plugin/jobs/failure-reason.js'
import type { ScanOrder, ScanRunner } from '../../plugin/jobs/scan-order.js'
import { PatientSet } from '../../plugin/search/scan-patients.js'
import { BatchSource } from '../../plugin/search/scan-source.js'
import { localScans } from '../../plugin/threads/local-scans.js'
import { type ScanRunnerOptions, scanRunner } from '../../plugin/threads/scan-runner.js'
import { scanThreads } from '../../plugin/threads/scan-threads.js'
import { allParts, batchesOf, linesIn } from '../support/drained-parts.js'
import { createTestLogger } from '../support/logger.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { until } from '../support/until.js'

const COUNT = 1000
/** The first answer would come after longer than a test may take. */
const SLOW = { $where: 'sleep(1000) || true' }
const WAYS = [
  ['in a thread', 1],
  ['in the thread of the caller', 0],
] as const
const PROGRAM = fileURLToPath(new URL('../support/idle-thread-program.ts', import.meta.url))

describe('scans in threads that fail', () => {
  const database = useSuiteDatabase()
  const runners: ScanRunner[] = []
  let failure: Promise<unknown>
  const { logger, records } = createTestLogger()
  const opened = (threads: number, more: Partial<ScanRunnerOptions> = {}, maxTimeMS?: number) => {
    const scan = { batchSize: 100, threads, ...(maxTimeMS === undefined ? {} : { maxTimeMS }) }
    const runner = scanRunner({
      ...{ db: database.db, uri: database.uri, connection: {}, scan, logger },
      ...more,
    })
    runners.push(runner)
    return runner
  }
  const order: ScanOrder = {
    ...{ type: 'Media', collection: 'Media', filter: {}, base: 'http://localhost/4_0_0' },
    ...{ range: {}, window: { until: new Date() }, limits: { resources: 1e6, bytes: 1e9 } },
  }
  const { range: _, ...byPatients } = order
  const members = new PatientSet()
  members.add('p1')
  const queriesRun = async () => {
    // A single look may miss a query that gives way to others just then.
    for (let look = 0; look < 20; look++) {
      const { inprog } = await database.db.admin().command({ currentOp: 1, ns: `${database.name}.Media` })
      if ((inprog as unknown[]).length > 0) return true
    }
    return false
  }
  const cursorsOpen = async () => {
    const { metrics } = await database.db.admin().serverStatus()
    return metrics.cursor.open.total as number
  }
  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => expect.fail('It has not failed.'),
      (error: unknown) => error,
    )

  before(() =>
    database.db.collection('Media').insertMany(
      Array.from({ length: COUNT }, (_, index) => ({
        ...{ resourceType: 'Media', id: `m${index}`, subject: { reference: 'Patient/p1' } },
        text: 'x'.repeat(10_000),
      })),
    ),
  )
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.close()))
    expect(records, 'what is logged').to.deep.equal([])
  })

  for (const [how, slow] of [
    ['a range', { ...order, filter: SLOW }],
    ['patients', { ...byPatients, members, filter: SLOW }],
  ] as const) {
    it(`end at once, and their query with them, when they are aborted before the database has answered: ${how}`, async () => {
      const abort = new AbortController()
      const control = { signal: abort.signal }
      const batches = 'range' in slow ? undefined : batchesOf(['p1', 'p2'], 1)
      const scan = failureOf(allParts(opened(1), slow, { batches, control }))
      await until(queriesRun)
      const reason = new Error('The export was cancelled.')
      abort.abort(reason)
      expect(await scan).to.equal(reason)
      await until(async () => !(await queriesRun()))
    })
  }

  it('do not begin when they are aborted before', async () => {
    const reason = new Error('The export was cancelled.')
    const control = { signal: AbortSignal.abort(reason) }
    expect(await failureOf(allParts(opened(1), order, { control }))).to.equal(reason)
  })

  it('are ended by whoever leaves them in the middle, and so is the query', async () => {
    const runner = opened(1)
    const { signal } = new AbortController()
    const before = await cursorsOpen()
    for await (const part of runner.parts(order, undefined, { signal, isEnough: () => false })) {
      for await (const chunk of part.lines ?? []) {
        expect(chunk.length).to.be.above(0)
        break
      }
      expect(await cursorsOpen()).to.be.above(before)
      break
    }
    await until(async () => (await cursorsOpen()) <= before)
    expect(linesIn(await allParts(runner, order))).to.have.length(COUNT)
  })

  for (const [how, threads] of WAYS) {
    it(`tell an error of the database as it is: ${how}`, async () => {
      const error = await failureOf(allParts(opened(threads, {}, 1), { ...order, filter: SLOW }))
      expect(error).to.be.an('error').that.includes({ name: 'MongoServerError', code: 50 })
      expect([reasonOf(error), isDatabaseUnreachable(error)]).to.deep.equal(['other', false])
    })

    it(`tell an error of the patients as it is: ${how}`, async () => {
      const own = Object.assign(new Error('The cohort cannot be read.'), { own: true })
      const batches = (async function* () {
        yield ['p1']
        throw own
      })()
      const error = await failureOf(allParts(opened(threads), { ...byPatients, members }, { batches }))
      expect(error).to.equal(own)
    })

    it(`refuse an order that cannot be carried out: ${how}`, async () => {
      const error = await failureOf(allParts(opened(threads), byPatients))
      expect(error).to.be.an('error').with.property('message', 'A scan by patients needs patients.')
    })
  }

  it('tell that the database is not there', async () => {
    const connection = { serverSelectionTimeoutMS: 100 }
    const error = await failureOf(
      allParts(opened(1, { uri: 'mongodb://127.0.0.1:1/nowhere', connection }), order),
    )
    expect(error).to.have.property('name', 'MongoServerSelectionError')
    expect([reasonOf(error), isDatabaseUnreachable(error)]).to.deep.equal(['database', true])
  })

  for (const [when, take] of [
    ['that are not read at the moment', 1],
    ['that wait for the database', 0],
  ] as const) {
    it(`reject when their thread ends, and the next ones have another: ${when}`, async () => {
      const runner = opened(1)
      const control = { signal: new AbortController().signal, isEnough: () => false }
      const scan = runner.parts(take === 0 ? { ...order, filter: SLOW } : order, undefined, control)
      const coming = scan.next()
      coming.catch(() => undefined)
      if (take === 0) await until(queriesRun)
      const part = take === 0 ? undefined : (await coming).value
      const closing = runner.close()
      const rest = async () => {
        await coming
        for await (const chunk of part?.lines ?? []) expect(chunk.length).to.be.above(0)
        await scan.next()
      }
      expect(await failureOf(rest())).to.be.an('error')
      await closing
      expect(linesIn(await allParts(runner, order))).to.have.length(COUNT)
    })
  }

  it('reject when their thread has to be ended, as it waits for patients that do not come', async () => {
    const runner = opened(1)
    const asked = new Promise<void>((resolve) => {
      const next = () => {
        resolve()
        return new Promise<never>(() => undefined)
      }
      failure = failureOf(allParts(runner, { ...byPatients, members }, { batches: { next } }))
    })
    await asked
    await runner.close()
    expect(await failure).to.have.property('message', 'The thread that scans has ended.')
  })

  it('do not hang when they come while their thread ends', async () => {
    const runner = opened(1)
    expect(linesIn(await allParts(runner, order))).to.have.length(COUNT)
    const closing = runner.close()
    const [outcome] = await Promise.allSettled([allParts(runner, order)])
    if (outcome.status === 'fulfilled') expect(linesIn(outcome.value)).to.have.length(COUNT)
    else expect(outcome.reason).to.be.an('error')
    await closing
  })

  it('are carried out otherwise, which is said once, when there can be no threads', async () => {
    const { db, uri, name } = database
    const own = createTestLogger()
    const runner = scanThreads({
      ...{ count: 2, logger: own.logger },
      data: { uri, database: name, connection: { lookup: () => undefined }, reading: { batchSize: 100 } },
      otherwise: localScans({ db, source: new BatchSource(db) }),
    })
    runner.prepare()
    for (const _ of [1, 2]) expect(linesIn(await allParts(runner, order))).to.have.length(COUNT)
    await runner.close()
    const [first, ...others] = own.records
    expect(first).to.include({ level: 'warn', message: 'scan-thread.unavailable' })
    expect(first?.['error']).to.match(/^DataCloneError: /)
    expect(others).to.deep.equal([])
  })

  it('are carried out otherwise when the program of threads cannot start', async () => {
    const { db, name } = database
    const own = createTestLogger()
    const runner = scanThreads({
      ...{ count: 2, logger: own.logger },
      data: { uri: 'no URI', database: name, connection: {}, reading: { batchSize: 100 } },
      otherwise: localScans({ db, source: new BatchSource(db) }),
    })
    const all = await Promise.all([allParts(runner, order), allParts(runner, order), allParts(runner, order)])
    for (const parts of all) expect(linesIn(parts)).to.have.length(COUNT)
    await runner.close()
    expect(own.records.map(({ message }) => message)).to.deep.equal(['scan-thread.unavailable'])
    expect(own.records[0]?.['error']).to.match(/^MongoParseError: /)
  })

  it('keep no process alive whose thread has nothing to do', async () => {
    const child = spawn(process.execPath, [...process.execArgv, PROGRAM, database.uri, 'Media'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    })
    const said = Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = (await once(child, 'exit')) as [number | null]
    expect([code, ...(await said)]).to.deep.equal([0, `${COUNT}\n`, ''])
  })
})
