import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Connection, createConnection } from 'mongoose'
import { type Engine, startEngine } from '../../plugin/jobs/engine.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { withClock } from '../support/clock.js'
import { createTestLogger, type LogRecord } from '../support/logger.js'
import { ENGINE_OPTIONS, searchOfPatients } from './engine-options.js'
import { FAILURE, newJob, useJobRecord } from './job-record.js'

const HOUR = 3_600_000
const TYPES = ['Patient']

describe('ExportJobs.expire', () => {
  const record = useJobRecord()
  const { planned, finishAll, database } = record
  const complete = async (id: string) => {
    await planned(id, TYPES)
    await finishAll()
    expect(await record.jobs.settle({ _id: id, types: TYPES })).to.equal(true)
  }
  const jobDocuments = () => database.db.collection<{ _id: string; endedAt: Date }>('bulkexport.jobs')
  /** Lets a job have ended this long ago, by the clock of the database. */
  const age = (id: string, ms: number) =>
    jobDocuments().updateOne({ _id: id }, [{ $set: { endedAt: { $subtract: ['$$NOW', ms] } } }])
  const statusOf = async (id: string) => (await record.jobs.job(id))?.status

  it('takes jobs that were completed or failed that long ago, and no others', async () => {
    for (const id of ['old', 'young']) {
      await complete(id)
      await age(id, id === 'old' ? HOUR : HOUR - 60_000)
    }
    await planned('failed')
    await record.jobs.fail('failed', FAILURE)
    await age('failed', 2 * HOUR)
    expect(await record.jobs.expire(HOUR)).to.equal(2)
    expect(await record.jobs.expire(HOUR)).to.equal(0)
    expect([await statusOf('old'), await statusOf('young'), await statusOf('failed')]).to.deep.equal([
      ...['expired', 'completed', 'expired'],
    ])
    await record.jobs.swept('young')
    expect((await record.jobs.unsettled()).map(({ _id }) => _id).sort()).to.deep.equal(['failed', 'old'])
  })

  it('never takes a job that has not ended, however old it is', async () => {
    await record.jobs.accept(newJob('accepted'))
    await planned('running')
    await planned('cancelled')
    await record.jobs.cancel('cancelled')
    for (const id of ['accepted', 'running', 'cancelled']) await age(id, 1000 * HOUR)
    expect(await record.jobs.expire(0)).to.equal(0)
    for (const id of ['accepted', 'running', 'cancelled']) expect(await statusOf(id)).to.equal(id)
  })

  it('goes by the clock of the database', async () => {
    await complete('a')
    await age('a', HOUR)
    for (const offset of [-10 * HOUR, 10 * HOUR]) {
      expect(await withClock(offset, () => record.jobs.expire(2 * HOUR)), `${offset}`).to.equal(0)
    }
    expect(await withClock(-10 * HOUR, () => record.jobs.expire(HOUR))).to.equal(1)
  })

  it('is the end: an expired job is not cancelled, failed, settled or planned any more', async () => {
    await complete('a')
    await record.jobs.expire(0)
    expect(await record.jobs.cancel('a')).to.equal(undefined)
    expect(await record.jobs.fail('a', FAILURE)).to.equal(false)
    expect(await record.jobs.settle({ _id: 'a', types: TYPES })).to.equal(false)
    await record.jobs.plan({ _id: 'a', types: TYPES })
    expect(await statusOf('a')).to.equal('expired')
    expect(await record.jobs.claim()).to.equal(undefined)
  })

  it('lets one of two processes win against a cancel, and loses no job', async () => {
    for (let round = 0; round < 10; round += 1) {
      await complete(`${round}`)
      const [expired, cancelled] = await Promise.all([record.jobs.expire(0), record.jobs.cancel(`${round}`)])
      expect(expired).to.equal(cancelled === undefined ? 1 : 0)
    }
  })
})

describe('an engine, when the retention is over', () => {
  const record = useJobRecord()
  let folder: string
  let connections: Connection[]
  let engines: Engine[]
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-retention-'))
    connections = []
    engines = []
  })
  afterEach(async () => {
    for (const engine of engines) await engine.stop()
    for (const connection of connections) await connection.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Looks at the record once and gives what was logged; `stop` waits for that look. */
  const lookOnce = async ({ retention = 0, storage = fileStorage(folder) } = {}) => {
    const { logger, records } = createTestLogger()
    const connection = await createConnection(record.database.uri).asPromise()
    connections.push(connection)
    const engine = await startEngine({
      ...ENGINE_OPTIONS,
      ...{ connection, storage, logger, retention, search: searchOfPatients(async () => []) },
    })
    engines.push(engine)
    await engine.stop()
    return records
  }
  const completeWithFile = async (id: string) => {
    await record.planned(id, TYPES)
    await fileStorage(folder).write(`${id}/Patient-1.ndjson`, text('{}\n'))
    await record.finishAll()
    await record.jobs.settle({ _id: id, types: TYPES })
    await record.jobs.swept(id)
    await record.models.cohort.create({
      ...{ _id: `${id}-0`, job: id, cohort: id, last: 'p', patients: ['p'] },
    })
  }
  const documents = async () => [
    ...(await record.documents('jobs')),
    ...(await record.documents('tasks')),
    ...(await record.documents('cohorts')),
  ]
  const removals = (records: readonly LogRecord[]) =>
    records.filter(({ message }) => message === 'job.removed').map(({ job, reason }) => ({ job, reason }))

  it('removes files and documents, and says so in the log', async () => {
    await completeWithFile('a')
    expect(removals(await lookOnce())).to.deep.equal([{ job: 'a', reason: 'expired' }])
    expect(await documents()).to.deep.equal([])
    expect(await readdir(folder)).to.deep.equal([])
  })

  it('leaves all as it is before that', async () => {
    await completeWithFile('a')
    const before = await documents()
    expect(removals(await lookOnce({ retention: HOUR }))).to.deep.equal([])
    expect(await documents()).to.deep.equal(before)
    expect(await readdir(join(folder, 'a'))).to.deep.equal(['Patient-1.ndjson'])
  })

  for (const when of ['before', 'after'] as const) {
    it(`finishes what a process began that died just ${when} the files were removed`, async () => {
      await completeWithFile('a')
      await completeWithFile('b')
      const disk = fileStorage(folder)
      const dying: ExportStorage = {
        ...disk,
        async removeAll(prefix) {
          if (when === 'after') await disk.removeAll(prefix)
          throw new Error('this process has died')
        },
      }
      expect(removals(await lookOnce({ storage: dying }))).to.deep.equal([])
      for (const id of ['a', 'b']) expect(await record.jobs.job(id)).to.include({ status: 'expired' })
      // What has expired stays so, even if it were kept longer now.
      expect(removals(await lookOnce({ retention: HOUR }))).to.have.lengthOf(2)
      expect(await documents()).to.deep.equal([])
      expect(await readdir(folder)).to.deep.equal([])
    })
  }

  it('does it once, or twice without harm, when several look at the same time', async () => {
    for (let index = 0; index < 5; index += 1) await completeWithFile(`job${index}`)
    const kept = await Promise.all([lookOnce(), lookOnce(), lookOnce()])
    expect(await documents()).to.deep.equal([])
    expect(await readdir(folder)).to.deep.equal([])
    expect(kept.flat().filter(({ level }) => level === 'error' || level === 'warn')).to.deep.equal([])
  })
})

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}
