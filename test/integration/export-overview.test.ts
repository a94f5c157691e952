import { hostname } from 'node:os'
import { expect } from 'chai'
import { type ExportOverview, exportOverview } from '../../plugin/jobs/export-overview.js'
import type { JobStatus } from '../../plugin/jobs/model.js'
import { KEPT_CHECKPOINTS } from '../../plugin/jobs/task-record.js'
import { joinWorkers } from '../../plugin/jobs/worker-list.js'
import { createTestLogger } from '../support/logger.js'
import { manyExports } from '../support/many-exports.js'
import { FAILURE, file, newJob, position, useJobRecord } from './job-record.js'

const SELF = `${hostname()}:${process.pid}`

describe('the overview of exports', () => {
  const record = useJobRecord()
  let overview: ExportOverview
  beforeEach(() => {
    overview = exportOverview(record.models)
  })
  const details = async (id: string) => {
    const found = await overview.details(id)
    if (found === undefined) throw new Error(`There is no ${id}.`)
    return found
  }

  it('has nothing of an export that is not there', async () => {
    expect(await overview.details('a')).to.equal(undefined)
    const { exports, hasMore, counts } = await overview.list({ limit: 10 })
    expect({ exports, hasMore, counts: [...counts] }).to.deep.equal({
      exports: [],
      hasMore: false,
      counts: [],
    })
  })

  it('follows an export from its kick-off to its end', async () => {
    const { jobs } = record
    await jobs.accept(newJob('a', ['Patient']))
    expect(await details('a')).to.deep.include({ status: 'accepted', progress: [], tasks: [], files: [] })
    await jobs.plan({ _id: 'a', types: ['Patient'] })
    expect((await details('a')).progress[0]?.tasks).to.deep.include({ waiting: 1, running: 0 })
    const task = await record.claimed()
    const [running] = (await details('a')).progress
    expect(running).to.deep.include({ kind: 'resources', type: 'Patient', workers: [SELF], resources: 0 })
    const problem = { ...file('OperationOutcome-1.ndjson', 2), kind: 'error' as const }
    await jobs.commit(task, [file('Patient-1.ndjson', 3), problem], position(3))
    const before = await details('a')
    expect(before.progress[0]).to.include({
      resources: 3,
      unfinishedResources: 3,
      bytes: 30,
      files: 2,
      problems: 2,
    })
    expect(before.lately?.map(({ resources }) => resources)).to.deep.equal([5])
    expect(before.files.map(({ name }) => name)).to.deep.equal([
      'Patient-1.ndjson',
      'OperationOutcome-1.ndjson',
    ])
    await jobs.release(task, 'done')
    await jobs.settle({ _id: 'a', types: ['Patient'] })
    const after = await details('a')
    expect(after).to.include({ status: 'completed' })
    expect(after.progress[0]).to.deep.include({ resources: 3, unfinishedResources: 0, workers: [] })
    expect(after.endedAt?.getTime()).to.be.at.most(after.now.getTime())
  })

  it('says what is tried again, why and by whom, the most urgent tasks first', async () => {
    await record.planned('a')
    await record.jobs.retry(await record.claimed(), 3_600_000, 'storage')
    await record.claimed()
    const { tasks, progress } = await details('a')
    const seen = tasks.map(({ status, failures, lastFailure, worker }) => [
      status,
      failures,
      lastFailure,
      worker,
    ])
    expect(seen).to.deep.equal([
      ['running', 0, undefined, SELF],
      ['waiting', 1, 'storage', SELF],
      ['waiting', 0, undefined, undefined],
    ])
    expect(progress.reduce((sum, { failing }) => sum + failing, 0)).to.equal(1)
    expect(progress.flatMap(({ failureReasons }) => failureReasons)).to.deep.equal(['storage'])
  })

  it('tells tasks whose worker was not heard of any more', async () => {
    await record.planned('a')
    await record.claimed()
    await record.claimed(record.dying)
    const { tasks } = await details('a')
    expect(tasks.map(({ status, isAbandoned }) => `${status} ${isAbandoned}`).sort()).to.deep.equal([
      ...['running false', 'running true', 'waiting false'],
    ])
  })

  it('keeps the last checkpoints of an export, however many there were, by the clock of the database', async () => {
    await record.planned('a', ['Patient'])
    const task = await record.claimed()
    const begun = await record.jobs.now()
    for (let count = 1; count <= KEPT_CHECKPOINTS + 5; count += 1) {
      await record.jobs.commit(task, [file(`Patient-${count}.ndjson`, count)], position(count))
    }
    const { lately = [] } = await details('a')
    const last = Array.from({ length: KEPT_CHECKPOINTS }, (_, index) => index + 6)
    expect(lately.map(({ resources }) => resources)).to.deep.equal(last)
    const times = lately.map(({ at }) => at.getTime())
    expect(times).to.deep.equal([...times].sort((a, b) => a - b))
    expect(times[0]).to.be.at.least(begun.getTime())
    const served = Array.from({ length: KEPT_CHECKPOINTS + 5 }, (_, index) => index + 1)
    expect((await record.jobs.job('a'))?.served).to.equal(served.reduce((sum, count) => sum + count, 0))
  })

  it('shows neither the caller, nor values of filters, nor who the patients are', async () => {
    const secret = 'Mustermann4711'
    await record.jobs.accept({
      ...newJob('a'),
      caller: JSON.stringify({ user: { name: secret }, headers: { 'x-who': secret } }),
      requestUrl: `https://fhir.example.org/4_0_0/Patient/$export?patient=${secret}`,
      filters: [{ type: 'Patient', query: `name=${secret}&_id=${secret}` }],
      patients: [secret, 'other'],
    })
    const found = { details: await details('a'), list: await overview.list({ limit: 1 }) }
    expect(JSON.stringify(found)).not.to.include(secret)
    expect(found.details).to.deep.include({
      patients: 2,
      filters: [{ type: 'Patient', parameters: ['name', '_id'] }],
    })
  })

  it('has how types are read where the record has it, and nothing of what it does not understand', async () => {
    await record.planned('a')
    expect((await details('a')).readings).to.equal(undefined)
    const store = (readings: unknown) =>
      record.database.db
        .collection<{ _id: string }>('bulkexport.jobs')
        .updateOne({ _id: 'a' }, { $set: { readings } })
    const readings = [{ way: 'scan', reason: 'its service has exportQuery', types: ['Patient'] }]
    await store(readings)
    expect((await details('a')).readings).to.deep.equal(readings)
    await store({ Patient: 'scan' })
    expect((await details('a')).readings).to.equal(undefined)
  })

  it('goes through all exports page by page, each once, the newest first, by state too', async () => {
    const now = new Date('2024-05-01T12:00:00.000Z')
    const ids = await manyExports(record.database.db, 30, now)
    // Some of one moment.
    await record.database.db
      .collection<{ _id: string }>('bulkexport.jobs')
      .updateMany(
        { _id: { $in: ids.slice(10, 18) } },
        { $set: { transactionTime: new Date('2024-05-01T10:00:00Z') } },
      )
    const walk = async (limit: number, status?: JobStatus) => {
      const seen: { readonly _id: string; readonly transactionTime: Date }[] = []
      for (let hasMore = true; hasMore; ) {
        const after = seen.at(-1)
        const page = await overview.list({ limit, ...(status && { status }), ...(after && { after }) })
        expect(page.exports.length).to.be.at.most(limit)
        seen.push(...page.exports)
        hasMore = page.hasMore
      }
      return seen
    }
    const all = await walk(7)
    expect(new Set(all.map(({ _id }) => _id))).to.deep.equal(new Set(ids))
    expect(all).to.have.length(30)
    const times = all.map(({ transactionTime }) => transactionTime.getTime())
    expect(times).to.deep.equal([...times].sort((a, b) => b - a))
    const failed = await walk(3, 'failed')
    expect(failed).to.have.length((await overview.list({ limit: 1 })).counts.get('failed') ?? 0)
    expect(failed.length).to.be.above(2)
  })

  it('names the processes that work', async () => {
    const membership = await joinWorkers(record.models, createTestLogger().logger)
    expect((await overview.workers()).map(({ name }) => name)).to.deep.equal([SELF])
    await membership.leave()
    expect(await overview.workers()).to.deep.equal([])
  })

  it('has the reason of a failed export', async () => {
    await record.planned('a')
    await record.jobs.fail('a', FAILURE)
    const { status, failure, progress } = await details('a')
    expect({ status, failure }).to.deep.equal({ status: 'failed', failure: FAILURE })
    expect(progress.every(({ tasks }) => tasks.cancelled === 1)).to.equal(true)
  })
})
