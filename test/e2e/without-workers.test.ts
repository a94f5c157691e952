import { readdir } from 'node:fs/promises'
import { expect } from 'chai'
import type { BulkExportOptions } from '../../plugin/index.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { ask, expectRefusal, kickOff } from '../support/protected-host.js'

const GROUP = { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: [] }
const PATIENT = { resourceType: 'Patient', id: 'p' }
const PARAMETERS = { resourceType: 'Parameters' }

describe('a kick-off on a server without workers', () => {
  const database = useDatabase()
  let hosts: TestHost[]
  beforeEach(() => {
    hosts = []
  })
  afterEach(() => Promise.all(hosts.map((host) => host.close())))
  /** What is not there is left to its default. */
  const start = async (options: Partial<BulkExportOptions>) => {
    const host = await startHost(database, {
      ...(hosts.length === 0 ? { resources: [PATIENT, GROUP] } : { types: ['Patient', 'Group'] }),
      // Without it test hosts let jobs wait.
      options: { withoutWorkers: undefined, ...options } as Partial<BulkExportOptions>,
    })
    hosts.push(host)
    return host
  }
  const documents = async (name: string) =>
    database.db.collection<{ _id: string }>(`bulkexport.${name}`).find().toArray()

  it('microsoft/fhir-server#3425: is refused by default instead of never ending, with a time to come again, and nothing is stored [ERR-08]', async () => {
    const host = await start({ workers: 0 })
    for (const path of ['$export', 'Patient/$export', 'Group/g/$export']) {
      for (const asked of [{}, { body: PARAMETERS }]) {
        const answer = await ask(`${host.base}/${path}`, asked)
        expect(expectRefusal(answer, 503, 'transient', path)).to.match(/worker/)
        expect(answer.headers.get('retry-after')).to.match(/^[1-9]\d*$/)
        expect(answer.headers.has('content-location')).to.equal(false)
      }
    }
    for (const name of ['jobs', 'tasks', 'bells', 'cohorts'])
      expect(await documents(name), name).to.deep.equal([])
    expect(await readdir(host.folder)).to.deep.equal([])
  })

  it('is refused for what is wrong with it first', async () => {
    const host = await start({ workers: 0 })
    expectRefusal(await ask(`${host.base}/Group/nobody/$export`), 404, 'not-found')
    expect((await ask(`${host.base}/$export?_outputFormat=csv`)).status).to.equal(400)
  })

  it('is accepted and waits where that is wanted; the log warns', async () => {
    const host = await start({ workers: 0, withoutWorkers: 'wait' })
    const statusUrl = await kickOff(host, {})
    const warnings = host.log.filter(({ message }) => message === 'job.without-workers')
    expect(warnings.map(({ level, job }) => [level, job])).to.deep.equal([
      ['warn', statusUrl.split('/').at(-1)],
    ])
    expect((await ask(statusUrl)).status).to.equal(202)
    await start({ workers: 1 })
    expect(await host.ended(statusUrl)).to.equal('completed')
  })

  it('is accepted as soon as another one has workers, until it stops or dies', async () => {
    const host = await start({ workers: 0 })
    const worker = await start({ workers: 1 })
    expect(await host.ended(await kickOff(host, {}))).to.equal('completed')
    await worker.bulkExport.stop()
    expectRefusal(await ask(`${host.base}/$export`), 503, 'transient')
    await worker.bulkExport.start()
    expect(await host.ended(await kickOff(host, {}))).to.equal('completed')
  })

  it('is accepted for a minute after the last worker was killed', async () => {
    const host = await start({ workers: 0 })
    const workers = database.db.collection<{ _id: string; aliveAt?: Date }>('bulkexport.workers')
    await workers.insertOne({ _id: 'killed' })
    for (const [silence, status] of [
      [50_000, 202],
      [60_000, 503],
      [3_000_000, 503],
      [0, 202],
    ] as const) {
      await workers.updateOne({ _id: 'killed' }, [{ $set: { aliveAt: { $subtract: ['$$NOW', silence] } } }])
      expect((await ask(`${host.base}/$export`)).status, `${silence} ms`).to.equal(status)
    }
  })

  it('takes nothing from exports that are there: status, files and DELETE answer', async () => {
    const host = await start({ workers: 0 })
    const worker = await start({ workers: 1 })
    const statusUrl = await kickOff(worker, {})
    expect(await worker.ended(statusUrl)).to.equal('completed')
    await worker.bulkExport.stop()
    const url = statusUrl.replace(worker.base, host.base)
    expectRefusal(await ask(`${host.base}/$export`), 503, 'transient')
    expect((await ask(url)).status).to.equal(200)
    expect((await ask(url, { method: 'DELETE' })).status).to.equal(202)
    expect((await ask(url)).status).to.equal(404)
  })
})
