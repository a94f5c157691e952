import { inspect } from 'node:util'
import { expect } from 'chai'
import { ExportError, type HostProfile } from '../../plugin/index.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import type { LogRecord } from '../support/logger.js'
import { useDatabase } from '../support/mongodb.js'

const PATIENTS = ['p1', 'p2', 'p3'].map((id) => ({
  ...{ resourceType: 'Patient', id },
  name: [{ family: 'Confidential' }],
}))
const BYTES = PATIENTS.map((patient) => `${JSON.stringify(patient)}\n`.length)
const STATE_CHANGE = /^(job|task|file)\./

describe('the log of an export', () => {
  const database = useDatabase()
  let host: TestHost | undefined

  afterEach(() => host?.close())

  const start = async (options: TestHostOptions) => {
    host = await startHost(database, options)
    return host
  }
  const eventsOf = (log: readonly LogRecord[]) => log.filter(({ message }) => STATE_CHANGE.test(message))
  const namesOf = (log: readonly LogRecord[]) => eventsOf(log).map(({ message }) => message)
  /** Its fields, but for those that are never the same; those have to be numbers or ids. */
  const fieldsOf = (log: readonly LogRecord[], name: string) =>
    log
      .filter(({ message }) => message === name)
      .map(({ message: _, job, task, ms, ...rest }) => {
        if (name !== 'task.claimed' && name !== 'task.saved') expect(ms ?? 0, name).to.be.at.least(0)
        expect(job, name).to.match(/^[0-9a-f]{32}$/)
        if (task !== undefined) expect(task, name).to.equal(`${job}-0`)
        // Without what winston adds for itself.
        return Object.fromEntries(Object.entries(rest))
      })

  it('has one event for each change of a job and a task, with its figures', async () => {
    const { client, bulkExport, log, ended } = await start({
      resources: PATIENTS,
      options: { maxFileResources: 2 },
    })
    const statusUrl = await client.kickOff('system', { _type: 'Patient' })
    await ended(statusUrl)
    await client.remove(statusUrl)
    await bulkExport.stop()
    expect(namesOf(log).sort()).to.deep.equal(
      [
        ...['job.accepted', 'job.planned', 'job.completed', 'job.cancelled', 'job.removed'],
        ...['task.claimed', 'task.saved', 'task.saved', 'task.done', 'file.written', 'file.written'],
      ].sort(),
    )
    const [first = 0, second = 0, third = 0] = BYTES
    const bytes = first + second + third
    const task = { attempt: 1, exports: 'Patient' }
    const level = 'info'
    const reason = 'its service has no exportQuery and no collection is known'
    const reading = { way: 'search', reason, types: ['Patient'] }
    expect(fieldsOf(log, 'job.planned')).to.deep.equal([{ level, tasks: 1, readings: [reading] }])
    expect(fieldsOf(log, 'task.claimed')).to.deep.equal([{ level: 'debug', ...task, failures: 0 }])
    expect(fieldsOf(log, 'file.written')).to.deep.equal([
      { level, ...task, kind: 'output', name: 'Patient-1.ndjson', resources: 2, bytes: first + second },
      { level, ...task, kind: 'output', name: 'Patient-2.ndjson', resources: 1, bytes: third },
    ])
    expect(fieldsOf(log, 'task.saved').at(-1)).to.deep.equal({
      ...{ level: 'debug', ...task, files: 1, resources: 1, bytes: third },
    })
    expect(fieldsOf(log, 'task.done')).to.deep.equal([{ level, ...task, files: 2, resources: 3, bytes }])
    expect(fieldsOf(log, 'job.completed')).to.deep.equal([{ level, files: 2, resources: 3, bytes }])
    expect(fieldsOf(log, 'job.removed')).to.deep.equal([{ level, reason: 'cancelled' }])
  })

  it('tells once of each try, and why the job failed in the end', async () => {
    let searches = 0
    const search = async () => {
      searches += 1
      throw searches < 2 ? new Error('not now') : new ExportError(500, 'never')
    }
    const profiles: Record<string, HostProfile> = { Patient: { service: { search }, versions: ['4_0_0'] } }
    const { client, bulkExport, log, ended } = await start({ profiles })
    expect(await ended(await client.kickOff('system'))).to.equal('failed')
    await bulkExport.stop()
    expect(namesOf(log)).to.deep.equal([
      ...['job.accepted', 'job.planned', 'task.claimed', 'task.retried', 'task.claimed', 'task.failed'],
      'job.failed',
    ])
    const nothing = { exports: 'Patient', files: 0, resources: 0, bytes: 0, reason: 'service' }
    expect(fieldsOf(log, 'task.retried')).to.deep.equal([
      { level: 'warn', attempt: 1, failures: 1, pause: 250, error: 'Error: not now', ...nothing },
    ])
    expect(fieldsOf(log, 'task.failed')).to.deep.equal([
      { level: 'error', attempt: 2, failures: 2, error: 'ExportError: never', ...nothing },
    ])
    expect(fieldsOf(log, 'job.failed')).to.deep.equal([{ level: 'error', reason: 'service' }])
  })

  it('tells how many exports have expired', async () => {
    const { client, bulkExport, log, ended } = await start({
      types: ['Patient'],
      options: { retention: 0 },
    })
    await ended(await client.kickOff('system'))
    await bulkExport.stop()
    const expired = log.filter(({ message }) => message === 'job.expired')
    expect(expired.map(({ jobs }) => jobs)).to.deep.equal([1])
    expect(fieldsOf(log, 'job.removed')).to.deep.equal([{ level: 'info', reason: 'expired' }])
  })

  it('has nothing of the resources, of credentials and of what the client asked for', async () => {
    const { base, bulkExport, log, manifest } = await start({ resources: PATIENTS })
    const query =
      '_type=Patient&_typeFilter=Patient%3Ffamily%3Dconfidential,Patient%3Fnonsense%3Dsecret&other=secret'
    const response = await fetch(`${base}/$export?${query}`, {
      headers: {
        Accept: 'application/fhir+json',
        Prefer: 'respond-async, handling=lenient',
        Authorization: 'Bearer secret',
      },
    })
    await manifest(response.headers.get('content-location') as string)
    await bulkExport.stop()
    expect(namesOf(log)).to.include('job.completed')
    expect(inspect(eventsOf(log), { depth: 9 })).not.to.match(/confidential|secret|nonsense/i)
  })
})
