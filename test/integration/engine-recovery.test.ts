import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Connection, createConnection } from 'mongoose'
import { type Engine, startEngine } from '../../plugin/jobs/engine.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { waitForDocument } from '../support/change-stream.js'
import { createTestLogger, type LogRecord } from '../support/logger.js'
import { ENGINE_OPTIONS, searchOfPatients } from './engine-options.js'
import { file, newJob, useJobRecord } from './job-record.js'

const PATIENTS = ['p1', 'p2', 'p3'].map((id) => ({ resourceType: 'Patient', id }))
const LINE = Buffer.byteLength(`${JSON.stringify(PATIENTS[0])}\n`)
const LARGE = 100_000
/** How often in a row a task may end its worker. */
const MOST_DEATHS = 10
const ENDED = ['completed', 'failed']

describe('an engine that comes after others', () => {
  const record = useJobRecord()
  const { database } = record
  let folder: string
  let connections: Connection[]
  let engines: Engine[]
  let log: readonly LogRecord[]
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-recovery-'))
    connections = []
    engines = []
  })
  afterEach(async () => {
    for (const engine of engines) await engine.stop()
    for (const connection of connections) await connection.close()
    await rm(folder, { recursive: true, force: true })
  })

  const start = async ({
    patients = PATIENTS as readonly object[],
    storage = fileStorage(folder),
    compressFiles = false,
    bytes = LARGE,
    manifestFile = false,
  }: {
    readonly patients?: readonly object[]
    readonly storage?: ExportStorage
    readonly compressFiles?: boolean
    readonly bytes?: number
    readonly manifestFile?: boolean
  } = {}) => {
    const { logger, records } = createTestLogger()
    log = records
    const connection = await createConnection(database.uri).asPromise()
    connections.push(connection)
    const engine = await startEngine({
      ...ENGINE_OPTIONS,
      ...{
        connection,
        storage,
        logger,
        compressFiles,
        manifestFile,
        search: searchOfPatients(async () => patients),
      },
      ...{ pageSize: LARGE, limits: { resources: LARGE, bytes } },
    })
    engines.push(engine)
    return engine
  }
  /** A running job that exports all patients. */
  const planned = async (id: string) => {
    await record.jobs.accept({ ...newJob(id, ['Patient']), level: 'system', transactionTime: new Date() })
    await record.jobs.plan({ _id: id, types: ['Patient'] })
  }
  const ended = async (id: string) => {
    const jobs = database.db.collection<{ _id: string; status: string }>('bulkexport.jobs')
    return (await waitForDocument(jobs, (job) => job._id === id && ENDED.includes(job.status))).status
  }
  /** Works until the job has ended, and all that comes with the end is done. */
  const workUntilEnd = async (id: string, options: Parameters<typeof start>[0] = {}) => {
    const engine = await start(options)
    const status = await ended(id)
    await engine.stop()
    return status
  }
  const files = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
      .sort()
  }
  const linesOf = async (id: string) => (await record.jobs.tasks(id)).flatMap((task) => task.files)

  describe('of which each died on the same task', () => {
    const die = async (times: number) => {
      for (let index = 0; index < times; index += 1) await record.claimed(record.dying)
    }

    it(`goes on with it after ${MOST_DEATHS - 1} times`, async () => {
      await planned('a')
      await die(MOST_DEATHS - 1)
      expect(await workUntilEnd('a')).to.equal('completed')
      expect(await files()).to.deep.equal(['a/Patient-1.ndjson'])
    })

    it(`hapifhir/hapi-fhir#4511, LinuxForHealth/FHIR#2419: fails the job with the reason after ${MOST_DEATHS} times, and goes on with others`, async () => {
      await planned('a')
      await die(MOST_DEATHS)
      await planned('b')
      await fileStorage(folder).write('a/Patient-1.ndjson', text('x'))
      const engine = await start()
      expect(await ended('a')).to.equal('failed')
      expect(await ended('b')).to.equal('completed')
      await engine.stop()
      const { status, issues } = (await record.jobs.job('a'))?.failure ?? {}
      expect(status).to.equal(500)
      expect(issues?.[0]?.diagnostics).to.match(/\bPatient\b.*workers ended again and again/)
      expect(log.filter(({ message }) => message === 'task.failed')).to.have.length(1)
      expect(await record.jobs.tasks('a')).to.have.length(1)
      expect(await record.jobs.countClaimable()).to.equal(0)
      expect(await files()).to.deep.equal(['b/Patient-1.ndjson'])
    })

    it('goes on with it however often, when there was a checkpoint in between', async () => {
      await planned('a')
      await die(MOST_DEATHS - 1)
      const task = await record.claimed(record.dying)
      const number = await record.jobs.nextFileNumber(task, 'Patient')
      const name = `Patient-${number}.ndjson`
      await fileStorage(folder).write(`a/${name}`, text(`${JSON.stringify(PATIENTS[0])}\n`))
      await record.jobs.commit(task, [file(name, 1)], { path: 0, finished: 1, lastId: 'p1' })
      // That one has died since the checkpoint, too.
      await die(MOST_DEATHS - 2)
      expect(await workUntilEnd('a')).to.equal('completed')
      expect((await linesOf('a')).map(({ resources }) => resources)).to.deep.equal([1, 2])
    })
  })

  describe('which left files behind', () => {
    /** What a lost attempt and a process that was killed leave, and what belongs to others. */
    const leave = async () => {
      const disk = fileStorage(folder)
      for (const key of [
        'a/Patient-1.ndjson',
        'a/Patient-2.ndjson.gz',
        'a/error-1.ndjson',
        'ab/Patient-1.ndjson',
      ]) {
        await disk.write(key, text('x'))
      }
      await writeFile(join(folder, 'a', '.00000000-0000-4000-8000-000000000000.part'), 'half')
      await writeFile(join(folder, 'ab', '.00000000-0000-4000-8000-000000000001.part'), 'half')
    }
    const OTHERS = ['ab/.00000000-0000-4000-8000-000000000001.part', 'ab/Patient-1.ndjson']

    for (const compressFiles of [false, true]) {
      const kept = `a/Patient-3.ndjson${compressFiles ? '.gz' : ''}`
      it(`leaves none of them when an export is complete, and takes nothing else: ${kept}`, async () => {
        await planned('a')
        await leave()
        const lost = await record.claimed(record.dying)
        for (const number of [1, 2]) {
          expect(await record.jobs.nextFileNumber(lost, 'Patient')).to.equal(number)
        }
        expect(await workUntilEnd('a', { compressFiles })).to.equal('completed')
        expect((await linesOf('a')).map(({ name }) => name)).to.deep.equal(['Patient-3.ndjson'])
        expect(await files()).to.deep.equal([kept, ...OTHERS])
      })
    }

    it('leaves none when the last worker died between its last task and the end of the job', async () => {
      await planned('a')
      await leave()
      const task = await record.claimed()
      await record.jobs.commit(task, [file('Patient-1.ndjson')], { path: 0, finished: 3, lastId: 'p3' })
      await record.jobs.release(task, 'done')
      expect(await workUntilEnd('a')).to.equal('completed')
      expect(await files()).to.deep.equal(['a/Patient-1.ndjson', ...OTHERS])
    })

    it('leaves none when the last worker died between the end of the job and its sweep', async () => {
      await planned('a')
      const storage = fileStorage(folder)
      await storage.write('a/Patient-1.ndjson', text('x'))
      await storage.write('a/Patient-2.ndjson', text('lost'))
      const task = await record.claimed()
      await record.jobs.commit(task, [file('Patient-1.ndjson')], { path: 0, finished: 3, lastId: 'p3' })
      await record.jobs.release(task, 'done')
      expect(await record.jobs.settle({ _id: 'a', types: ['Patient'] })).to.equal(true)
      const engine = await start()
      await engine.stop()
      expect(await files()).to.deep.equal(['a/Patient-1.ndjson'])
      expect(await record.jobs.unsettled()).to.deep.equal([])
    })

    it('does not fail an export when they cannot be removed', async () => {
      await planned('a')
      await leave()
      const storage: ExportStorage = {
        ...fileStorage(folder),
        removeOthers: () => Promise.reject(new Error('the disk is broken')),
      }
      await record.jobs.nextFileNumber(await record.claimed(record.dying), 'Patient')
      expect(await workUntilEnd('a', { storage })).to.equal('completed')
      const warnings = log.filter(({ message }) => message === 'job.sweep-failed')
      expect([...new Set(warnings.map(({ error }) => error))]).to.deep.equal(['Error: the disk is broken'])
      await (await start()).stop()
      expect((await files()).filter((path) => path.startsWith('a/'))).to.deep.equal(['a/Patient-2.ndjson'])
    })

    it('removes all of a job that fails', async () => {
      await planned('a')
      await leave()
      const patients = [{ resourceType: 'Patient', id: 'p1' }, ...PATIENTS]
      const storage: ExportStorage = {
        ...fileStorage(folder),
        write: () => Promise.reject(Object.assign(new Error('no'), { statusCode: 403 })),
      }
      expect(await workUntilEnd('a', { storage, patients })).to.equal('failed')
      expect(await files()).to.deep.equal(OTHERS)
    })
  })

  describe('with a manifest to put beside the files', () => {
    /** Rejects the manifest, so often, with this. */
    const refusing = (times: number, error: object): ExportStorage => {
      const storage = fileStorage(folder)
      let left = times
      return {
        ...storage,
        async write(key, ...rest) {
          if (key.endsWith('/manifest.json') && left-- > 0) throw error
          await storage.write(key, ...rest)
        },
      }
    }

    it('is complete only when that is there, too', async () => {
      await planned('a')
      const error = Object.assign(new Error('gone'), { code: 'ECONNRESET' })
      expect(await workUntilEnd('a', { manifestFile: true, storage: refusing(1, error) })).to.equal(
        'completed',
      )
      expect(await files()).to.deep.equal(['a/Patient-1.ndjson', 'a/manifest.json'])
    })

    it('fails when the storage never takes that, and leaves nothing', async () => {
      await planned('a')
      const error = Object.assign(new Error('denied'), { statusCode: 403 })
      expect(await workUntilEnd('a', { manifestFile: true, storage: refusing(Infinity, error) })).to.equal(
        'failed',
      )
      expect((await record.jobs.job('a'))?.failure?.issues[0]?.diagnostics).to.include('manifest')
      expect(await files()).to.deep.equal([])
    })
  })

  describe('settles a job at any time', () => {
    it('microsoft/fhir-server#3742: that is not complete before all its parts are there, whoever looks and how often', async () => {
      const types = ['Condition', 'Observation', 'Patient']
      await record.jobs.accept(newJob('a', types))
      const others = [record.jobs, await record.connect(60_000), await record.connect(60_000)]
      const settle = () => Promise.all(others.map((jobs) => jobs.settle({ _id: 'a', types })))
      const none = [false, false, false]
      expect(await settle(), 'accepted').to.deep.equal(none)
      await record.jobs.plan({ _id: 'a', types })
      for (const _type of types) {
        expect(await settle(), 'a task waits').to.deep.equal(none)
        const task = await record.claimed()
        expect(await settle(), 'a task runs').to.deep.equal(none)
        await record.jobs.commit(task, [file(`${task.type}-1.ndjson`)], { path: 0, finished: 3 })
        expect(await settle(), 'its files are there').to.deep.equal(none)
        await record.jobs.retry(task, -1000)
        expect(await settle(), 'it failed').to.deep.equal(none)
        await record.jobs.release(await record.claimed(), 'done')
      }
      expect((await settle()).filter((isSettled) => isSettled)).to.have.length(1)
      expect(await record.jobs.job('a')).to.include({ status: 'completed', served: 9 })
    })
  })

  for (const bytes of [1, LINE, 3 * LINE, 10 * LINE]) {
    it(`microsoft/fhir-server#3755: never writes files larger than ${bytes} bytes, but for a resource that is so itself`, async () => {
      const patients = Array.from({ length: 20 }, (_, index) => {
        return { resourceType: 'Patient', id: `p${index}`, text: 'ä'.repeat((index * index) % 50) }
      })
      await planned('a')
      expect(await workUntilEnd('a', { patients, bytes })).to.equal('completed')
      const written = await linesOf('a')
      for (const part of written) {
        if (part.resources > 1) expect(part.bytes).to.be.at.most(bytes)
      }
      expect(written.reduce((sum, { resources }) => sum + resources, 0)).to.equal(patients.length)
      expect(await files()).to.have.length(written.length)
    })
  }
})

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}
