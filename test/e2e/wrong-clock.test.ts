import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { startWorker, type WorkerProcess } from '../../scripts/worker-process.js'
import { withClock } from '../support/clock.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const HOUR = 3_600_000
const SHIFTED_CLOCK = pathToFileURL(fileURLToPath(new URL('../support/shifted-clock.ts', import.meta.url)))
const NOW = '2024-05-01T12:00:00.000Z'
const PATIENTS = Array.from({ length: 300 }, (_, index) => `p${index}`)
const RESOURCES = PATIENTS.flatMap((id) => [
  { resourceType: 'Patient', id, meta: { lastUpdated: NOW } },
  ...['a', 'b'].map((name) => ({
    ...{ resourceType: 'Observation', id: `${id}-${name}`, meta: { lastUpdated: NOW } },
    subject: { reference: `Patient/${id}` },
  })),
])

describe('when clocks are wrong', () => {
  const database = useDatabase()
  let host: TestHost
  let workers: WorkerProcess[]
  beforeEach(async () => {
    workers = []
    host = await startHost(database, { resources: RESOURCES, options: { workers: 0 } })
  })
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.stop()))
    await host.close()
  })

  const startAt = async (offset: number) => {
    const { uri, name } = database
    const environment = {
      ...{ MONGODB_URI: uri, MONGODB_DB: name, EXPORT_WORKERS: '2' },
      EXPORT_STORAGE: pathToFileURL(host.folder).href,
    }
    const clock = new URL(SHIFTED_CLOCK)
    clock.search = `?ms=${offset}`
    workers.push(await startWorker(environment, ['--import', clock.href]))
  }
  const expectWhole = async () => {
    const statusUrl = await host.client.kickOff('system', { _type: 'Patient,Observation' })
    expect(await host.ended(statusUrl)).to.equal('completed')
    const found = await host.resources(await host.manifest(statusUrl))
    const ids = [...found.values()].flat().map(({ id }) => id as string)
    expect(ids.sort()).to.deep.equal(RESOURCES.map(({ id }) => id).sort())
  }

  for (const offset of [-HOUR, HOUR]) {
    it(`an API process an hour ${offset < 0 ? 'behind' : 'ahead'} never takes a transaction time that lies ahead`, async () => {
      const before = Date.now()
      const statusUrl = await withClock(offset, () => host.client.kickOff('system', { _type: 'Patient' }))
      const jobs = database.db.collection<{ _id: string; transactionTime: Date }>('bulkexport.jobs')
      const job = await jobs.findOne({ _id: statusUrl.split('/').at(-1) as string })
      const expected = Math.min(before, before + offset)
      expect(job?.transactionTime.getTime()).to.be.within(expected, expected + 10_000)
    })
  }

  for (const offsets of [[-HOUR], [HOUR], [-HOUR, HOUR]]) {
    const clocks = offsets.map((offset) => (offset < 0 ? 'an hour behind' : 'an hour ahead'))
    it(`a worker ${clocks.join(' beside one ')} exports each resource once, and without delay`, async () => {
      for (const offset of offsets) await startAt(offset)
      await expectWhole()
      await expectWhole()
    })
  }
})
