import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { startWorker, type WorkerProcess } from '../../scripts/worker-process.js'
import { waitForDocument } from '../support/change-stream.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const run = promisify(execFile)

const PATIENTS = Array.from({ length: 500 }, (_, index) => ({
  ...{ resourceType: 'Patient', id: `p${index}`, meta: { lastUpdated: '2024-05-01T12:00:00.000Z' } },
  text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${'x'.repeat(1000)}</div>` },
}))
/** Room for a part of the first file only, in bytes. */
const ROOM = 100_000

interface TaskDocument {
  readonly _id: string
  readonly failures: number
}

describe('a disk that is full', () => {
  const database = useDatabase()
  let host: TestHost
  let worker: WorkerProcess
  beforeEach(async function () {
    // What sets the limit of another process is there on Linux only.
    if (process.platform !== 'linux') return this.skip()
    host = await startHost(database, { resources: PATIENTS, options: { workers: 0 } })
    worker = await startWorker({
      ...{ MONGODB_URI: database.uri, MONGODB_DB: database.name, EXPORT_WORKERS: '1' },
      EXPORT_STORAGE: pathToFileURL(host.folder).href,
    })
  })
  afterEach(async () => {
    await worker?.stop()
    await host?.close()
  })

  /** How large a file the worker may write. */
  const limit = (bytes: number | 'unlimited') =>
    run('prlimit', ['--pid', String(worker.pid), `--fsize=${bytes}:unlimited`])

  it('makes an export wait, leaves nothing, and has lost nothing when there is room again', async () => {
    await limit(ROOM)
    const statusUrl = await host.client.kickOff('system')
    const tasks = database.db.collection<TaskDocument>('bulkexport.tasks')
    await waitForDocument(tasks, ({ failures }) => failures >= 3)
    const status = await host.client.status(statusUrl)
    expect(status.state).to.equal('running')
    const left = await readdir(host.folder, { recursive: true, withFileTypes: true })
    expect(left.filter((entry) => entry.name.endsWith('.ndjson'))).to.deep.equal([])
    await limit('unlimited')
    expect(await host.ended(statusUrl)).to.equal('completed')
    const found = (await host.resources(await host.manifest(statusUrl))).get('Patient') ?? []
    expect(found.map(({ id }) => id).sort()).to.deep.equal(PATIENTS.map(({ id }) => id).sort())
  })
})
