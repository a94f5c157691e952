import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Connection, createConnection } from 'mongoose'
import { createModels } from '../../plugin/jobs/collections.js'
import { type Engine, startEngine } from '../../plugin/jobs/engine.js'
import { openExportJobs } from '../../plugin/jobs/export-jobs.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { waitForDocument } from '../support/change-stream.js'
import { createTestLogger, type LogRecord } from '../support/logger.js'
import { useDatabase } from '../support/mongodb.js'
import { Calls, deferred } from './calls.js'
import { ENGINE_OPTIONS, searchOfPatients } from './engine-options.js'
import { newJob } from './job-record.js'

const job = (id: string) => ({
  ...newJob(id, ['Patient']),
  level: 'system' as const,
  transactionTime: new Date(),
})
const PATIENTS = ['p1', 'p2', 'p3'].map((id) => ({ resourceType: 'Patient', id }))
const LINES = PATIENTS.map((patient) => `${JSON.stringify(patient)}\n`).join('')

describe('startEngine', () => {
  const database = useDatabase()
  let folder: string
  let connections: Connection[]
  let engines: Engine[]
  let records: readonly LogRecord[]

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-engine-'))
    connections = []
    engines = []
  })
  afterEach(async () => {
    for (const engine of engines) await engine.stop()
    for (const connection of connections) await connection.close()
    await rm(folder, { recursive: true, force: true })
  })

  const connect = async () => {
    const connection = await createConnection(database.uri).asPromise()
    connections.push(connection)
    return connection
  }
  /** The record without an engine: nothing is done about what is put there. */
  const record = async () => {
    const connection = await connect()
    return openExportJobs(connection, createModels(connection), 60_000)
  }
  const start = async ({
    search = async () => PATIENTS as readonly object[],
    storage = fileStorage(folder),
  }: {
    search?: () => Promise<readonly object[]>
    storage?: ExportStorage
  } = {}) => {
    const { logger, records: kept } = createTestLogger()
    records = kept
    const engine = await startEngine({
      ...ENGINE_OPTIONS,
      ...{ connection: await connect(), search: searchOfPatients(search), storage, logger },
    })
    engines.push(engine)
    return engine
  }
  const completed = (id: string) =>
    waitForDocument(
      database.db.collection<{ _id: string; status: string }>('bulkexport.jobs'),
      ({ _id, status }) => _id === id && status === 'completed',
    )
  const files = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  }

  for (const state of ['accepted', 'planned'] as const) {
    it(`finds a job that was ${state} and whose bells were lost`, async () => {
      const jobs = await record()
      await jobs.accept(job('a'))
      if (state === 'planned') await jobs.plan({ _id: 'a', types: ['Patient'] })
      await start()
      await completed('a')
      expect(await readFile(join(folder, 'a', 'Patient-1.ndjson'), 'utf8')).to.equal(LINES)
    })
  }

  it('settles a job whose last worker died just before it could', async () => {
    const jobs = await record()
    await jobs.accept(job('a'))
    await jobs.plan({ _id: 'a', types: ['Patient'] })
    const task = await jobs.claim()
    expect(task && (await jobs.release(task, 'done'))).to.equal(true)
    await start()
    await completed('a')
  })

  it('removes a cancelled job that somebody else did not remove to the end', async () => {
    const jobs = await record()
    await fileStorage(folder).write('a/Patient-1.ndjson', text('x'))
    await jobs.accept(job('a'))
    await jobs.cancel('a')
    await jobs.accept(job('b'))
    await start()
    await completed('b')
    expect(await jobs.job('a')).to.equal(undefined)
    expect((await readdir(folder)).sort()).to.deep.equal(['b'])
  })

  it('looks after all other jobs when one cannot be removed', async () => {
    const jobs = await record()
    const disk = fileStorage(folder)
    const storage: ExportStorage = {
      ...disk,
      async removeAll(prefix) {
        if (prefix === 'broken') throw new Error('the disk is broken')
        await disk.removeAll(prefix)
      },
    }
    await jobs.accept(job('broken'))
    await jobs.cancel('broken')
    // Planned: nobody rings for it but whoever looks at the record.
    await jobs.accept(job('b'))
    await jobs.plan({ _id: 'b', types: ['Patient'] })
    await start({ storage })
    await completed('b')
    expect(records.some(({ error }) => String(error).includes('the disk is broken'))).to.equal(true)
  })

  it('leaves nothing of a job that is cancelled while its resources are being read', async () => {
    const reading = new Calls()
    const gate = deferred()
    const engine = await start({
      search: async () => {
        reading.add('search')
        await gate.promise
        return PATIENTS
      },
    })
    await engine.accept(job('a'))
    await reading.reached(1)
    expect(await engine.cancel('a')).to.equal(true)
    expect(await engine.cancel('a')).to.equal(false)
    gate.resolve()
    // The next job of the only worker begins when it is done with the first one.
    await engine.accept(job('b'))
    await completed('b')
    expect(await files()).to.deep.equal(['Patient-1.ndjson'])
    for (const name of ['jobs', 'tasks', 'cohorts']) {
      const left = await database.db.collection(`bulkexport.${name}`).find().toArray()
      expect(
        left.filter((document) => document['job'] === 'a' || String(document._id) === 'a'),
      ).to.deep.equal([])
    }
  })

  it('gives the worker of a hanging search free when the job is cancelled', async () => {
    const reading = new Calls()
    const engine = await start({
      search: async () => {
        reading.add('search')
        if (reading.all.length === 1) await new Promise(() => {})
        return PATIENTS
      },
    })
    await engine.accept(job('a'))
    await reading.reached(1)
    await engine.cancel('a')
    await engine.accept(job('b'))
    await completed('b')
  })

  it('hands a task back when it stops, and another process goes on with it', async () => {
    const reading = new Calls()
    const first = await start({
      search: async () => {
        reading.add('search')
        return new Promise(() => {})
      },
    })
    await first.accept(job('a'))
    await reading.reached(1)
    await first.stop()
    const [task] = await first.jobs.tasks('a')
    expect(task).to.include({ status: 'waiting', attempt: 1 })
    await start()
    await completed('a')
    expect(await files()).to.deep.equal(['Patient-1.ndjson'])
  })
})

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}
