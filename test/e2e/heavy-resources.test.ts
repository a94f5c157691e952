import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { startWorker, type WorkerProcess } from '../../scripts/worker-process.js'
import { startHost, store, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

/** In bytes. */
const SIZE = 1_500_000
const COUNT = 120
const HEAVY = ['DocumentReference', 'Media']

describe('resources of 1.5 MB, 180 MB of each of two types', () => {
  const database = useDatabase()
  let host: TestHost
  let worker: WorkerProcess
  beforeEach(async function () {
    this.timeout(60_000)
    for (const resourceType of HEAVY) {
      for (let index = 0; index < COUNT; index += 10) {
        const heavy = Array.from({ length: 10 }, (_, more) => ({
          ...{
            resourceType,
            id: `${resourceType}-${index + more}`,
            meta: { lastUpdated: '2024-05-01T12:00:00.000Z' },
          },
          content: 'x'.repeat(SIZE),
        }))
        await store(database, heavy)
      }
    }
    host = await startHost(database, { types: HEAVY, options: { workers: 0 } })
    worker = await startWorker({
      ...{ MONGODB_URI: database.uri, MONGODB_DB: database.name, EXPORT_WORKERS: '2' },
      EXPORT_STORAGE: pathToFileURL(host.folder).href,
    })
  })
  afterEach(async () => {
    await worker?.stop()
    await host?.close()
  })

  it('hapifhir/hapi-fhir#8374: are read in pages of few, so that the worker stays small', async function () {
    this.timeout(60_000)
    const statusUrl = await host.client.kickOff('system', { _type: HEAVY.join() })
    expect(await host.ended(statusUrl)).to.equal('completed')
    const { output } = await host.manifest(statusUrl)
    for (const resourceType of HEAVY) {
      const files = output.filter(({ type }) => type === resourceType)
      expect(files.reduce((sum, { count }) => sum + count, 0)).to.equal(COUNT)
    }
    // 700 MiB if each type had all of them in memory at once.
    expect((await worker.stop()) / 2 ** 20, 'MiB').to.be.below(500)
  })
})
