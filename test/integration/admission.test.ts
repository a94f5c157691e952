import { expect } from 'chai'
import { ExportError } from '../../plugin/errors.js'
import { requirePlace, requireRoom } from '../../plugin/jobs/admission.js'
import type { ExportJobs } from '../../plugin/jobs/export-jobs.js'
import { FAILURE, newJob, useJobRecord } from './job-record.js'

const LIMITS = { maxRunningExports: 10, maxRunningExportsPerClient: 3 }
const ids = (count: number) => Array.from({ length: count }, (_, index) => `job${100 + index}`)

describe('the limits of running exports', () => {
  const record = useJobRecord()
  const { database } = record
  /** All at the same time, unless it is said when. */
  const job = (id: string, owner?: string, transactionTime = new Date(0)) => {
    return { ...newJob(id), transactionTime, ...(owner === undefined ? {} : { owner }) }
  }
  const remaining = async () => (await record.documents('jobs')).map(({ _id }) => _id).sort()
  /** What a process does with a job that it has stored. */
  const decide = async (jobs: ExportJobs, candidate: ReturnType<typeof job>) => {
    try {
      await requirePlace(candidate, jobs, LIMITS)
    } catch (error) {
      if (!(error instanceof ExportError && error.status === 429)) throw error
      expect(await jobs.withdraw(candidate._id)).to.equal(true)
    }
  }

  it('leave the first ones of 50 that several processes have stored at the same time', async () => {
    const processes = [record.jobs, await record.connect(60_000), await record.connect(60_000)]
    const candidates = ids(50).map((id) => job(id))
    await Promise.all(candidates.map((candidate) => record.jobs.accept(candidate)))
    await Promise.all(
      candidates.map((candidate, index) => decide(processes[index % 3] as ExportJobs, candidate)),
    )
    expect(await remaining()).to.deep.equal(ids(10))
  })

  it('count all clients together', async () => {
    const owners = ['a', 'b', 'c', 'd', 'e']
    const candidates = ids(50).map((id, index) => job(id, owners[index % 5]))
    await Promise.all(candidates.map((candidate) => record.jobs.accept(candidate)))
    await Promise.all(candidates.map((candidate) => decide(record.jobs, candidate)))
    expect(await remaining()).to.deep.equal(ids(10))
    const left = await record.documents('jobs')
    for (const owner of owners) {
      expect(left.filter((document) => document['owner'] === owner)).to.have.lengthOf(2)
    }
  })

  it('of one client count that client alone', async () => {
    const candidates = ids(8).map((id, index) => job(id, index < 6 ? 'a' : 'b'))
    await Promise.all(candidates.map((candidate) => record.jobs.accept(candidate)))
    await Promise.all(candidates.map((candidate) => decide(record.jobs, candidate)))
    expect(await remaining()).to.deep.equal(['job100', 'job101', 'job102', 'job106', 'job107'])
  })

  it('are never exceeded by a job that is older than those already taken in', async () => {
    for (const id of ids(10)) await record.jobs.accept(job(id, undefined, new Date(5000)))
    const late = job('late', undefined, new Date(1000))
    await record.jobs.accept(late)
    const [outcome] = await Promise.allSettled([requirePlace(late, record.jobs, LIMITS)])
    expect(outcome).to.include({ status: 'rejected' })
  })

  it('wait for those that withdraw, rather than leave a place free', async () => {
    const candidates = ids(11).map((id) => job(id))
    for (const candidate of candidates) await record.jobs.accept(candidate)
    const first = decide(record.jobs, candidates[0] as ReturnType<typeof job>)
    const last = decide(record.jobs, candidates[10] as ReturnType<typeof job>)
    await Promise.all([first, last])
    expect(await remaining()).to.deep.equal(ids(10))
  })

  it('take back only a job that nobody has begun with', async () => {
    await record.jobs.accept(job('accepted'))
    await record.planned('running')
    expect(await record.jobs.withdraw('accepted')).to.equal(true)
    expect(await record.jobs.withdraw('accepted')).to.equal(false)
    expect(await record.jobs.withdraw('running')).to.equal(false)
    await record.jobs.plan({ _id: 'accepted', types: ['Patient'] })
    expect(await remaining()).to.deep.equal(['running'])
    expect(await record.jobs.tasks('accepted')).to.deep.equal([])
  })

  it('count only jobs that have not ended', async () => {
    for (const id of ids(9)) await record.jobs.accept(job(id, id))
    const refused = () =>
      requireRoom(job('next'), record.jobs, LIMITS).then(
        () => false,
        () => true,
      )
    const endings = {
      cancelled: (id: string) => record.jobs.cancel(id),
      failed: (id: string) => record.jobs.fail(id, FAILURE),
      completed: (id: string) => record.jobs.settle({ _id: id, types: [] }),
      expired: async (id: string) => {
        await record.jobs.settle({ _id: id, types: [] })
        await record.jobs.expire(0)
      },
    }
    for (const [ending, end] of Object.entries(endings)) {
      await record.planned(ending, [])
      expect(await refused(), `before it is ${ending}`).to.equal(true)
      await end(ending)
      expect((await record.jobs.job(ending))?.status).to.equal(ending)
      expect(await refused(), ending).to.equal(false)
    }
  })

  it('count a job once that starts at the same time', async () => {
    const parameter = { internalQueryExecYieldIterations: 1 }
    const admin = database.db.admin()
    // Makes every read give way after each document, as a long one does on a busy server.
    const { was } = await admin.command({ setParameter: 1, ...parameter })
    try {
      const counter = await record.connect(60_000)
      const all = ids(300)
      await Promise.all(all.map((id) => record.jobs.accept(newJob(id, []))))
      const starting = all.map((id) => record.jobs.plan({ _id: id, types: [] }))
      const counts: number[] = []
      let started = false
      const finished = Promise.all(starting).then(() => {
        started = true
      })
      while (!started) counts.push(await counter.countUnfinished())
      await finished
      expect([...new Set(counts)]).to.deep.equal([300])
    } finally {
      await admin.command({ setParameter: 1, internalQueryExecYieldIterations: was })
    }
  })

  it('are counted with an index alone', async () => {
    await record.jobs.accept(job('a', 'me'))
    const filter = { endedAt: null, owner: 'me' }
    const plan = await database.db.collection('bulkexport.jobs').find(filter).explain('queryPlanner')
    expect(JSON.stringify(plan['queryPlanner'].winningPlan)).to.match(/IXSCAN.*"endedAt":1,"owner":1/)
  })
})
