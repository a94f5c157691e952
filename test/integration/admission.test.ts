import { expect } from 'chai'
import { ExportError } from '../../plugin/errors.js'
import { type RunningLimits, requirePlace, requireRoom } from '../../plugin/jobs/admission.js'
import type { ExportJobs } from '../../plugin/jobs/export-jobs.js'
import { FAILURE, newJob, useJobRecord } from './job-record.js'

const LIMITS = { maxRunningExports: 10, maxRunningExportsPerClient: 3 }
const ONCE = { maxRunningExports: 100, maxRunningExportsPerClient: 100, refuseDuplicates: true }
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
  const decide = async (
    jobs: ExportJobs,
    candidate: ReturnType<typeof job>,
    limits: RunningLimits = LIMITS,
  ) => {
    try {
      await requirePlace(candidate, jobs, limits)
      await jobs.place(candidate._id)
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

  describe('that are equal', () => {
    const asking = (id: string, fingerprint: string, owner = 'a') => ({ ...job(id, owner), fingerprint })
    const refusalOf = (candidate: ReturnType<typeof asking>, limits: RunningLimits) =>
      requireRoom(candidate, record.jobs, limits).then(
        () => undefined,
        (error: ExportError) => error,
      )

    it('leave the first of 30 that several processes have stored at the same time [KO-13]', async () => {
      const processes = [record.jobs, await record.connect(60_000), await record.connect(60_000)]
      const candidates = ids(30).map((id, index) => asking(id, index % 2 === 0 ? 'x' : 'y'))
      await Promise.all(candidates.map((candidate) => record.jobs.accept(candidate)))
      await Promise.all(
        candidates.map((candidate, index) => decide(processes[index % 3] as ExportJobs, candidate, ONCE)),
      )
      expect(await remaining()).to.deep.equal(['job100', 'job101'])
    })

    it('are refused before they are stored, by the name of the option [KO-13]', async () => {
      await record.jobs.accept(asking('first', 'x'))
      const refusal = await refusalOf(asking('second', 'x'), ONCE)
      expect(refusal).to.include({ status: 429, retryAfter: 10 })
      expect(refusal?.issues[0]).to.include({ severity: 'error', code: 'throttled' })
      expect(refusal?.message).to.match(/refuseDuplicates/)
      expect(await refusalOf(asking('other', 'y'), ONCE)).to.equal(undefined)
    })

    it('are no concern where nobody minds', async () => {
      await record.jobs.accept(asking('first', 'x'))
      for (const limits of [LIMITS, { ...LIMITS, refuseDuplicates: false }]) {
        expect(await refusalOf(asking('second', 'x'), limits)).to.equal(undefined)
        await requirePlace(asking('second', 'x'), record.jobs, limits)
      }
    })

    it('may follow one that has ended [KO-13]', async () => {
      for (const id of ['cancelled', 'failed']) await record.jobs.accept(asking(id, id))
      await record.jobs.cancel('cancelled')
      await record.jobs.fail('failed', FAILURE)
      for (const id of ['cancelled', 'failed']) {
        expect(await refusalOf(asking('next', id), ONCE)).to.equal(undefined)
      }
    })

    it('still count against the limits of a client and of all', async () => {
      for (const id of ids(3)) await record.jobs.accept(asking(id, id))
      const limits = { ...LIMITS, refuseDuplicates: true }
      expect((await refusalOf(asking('next', 'y'), limits))?.message).to.match(/PerClient/)
      for (const id of ids(10).slice(3)) await record.jobs.accept(asking(id, id, id))
      expect((await refusalOf(asking('next', 'y', 'b'), limits))?.message).to.match(/maxRunningExports\b/)
    })
  })

  it('are never exceeded by a job that is older than those already taken in', async () => {
    for (const id of ids(10)) {
      await record.jobs.accept(job(id, undefined, new Date(5000)))
      await requirePlace(job(id, undefined, new Date(5000)), record.jobs, LIMITS)
      await record.jobs.place(id)
    }
    const late = job('late', undefined, new Date(1000))
    await record.jobs.accept(late)
    const [outcome] = await Promise.allSettled([requirePlace(late, record.jobs, LIMITS)])
    expect(outcome).to.include({ status: 'rejected' })
  })

  it('leave no place free when two come for the last one that are older than those already taken in', async () => {
    for (const id of ids(9)) {
      await record.jobs.accept(job(id, undefined, new Date(5000)))
      await requirePlace(job(id, undefined, new Date(5000)), record.jobs, LIMITS)
      await record.jobs.place(id)
    }
    const late = ['late1', 'late2'].map((id) => job(id, undefined, new Date(1000)))
    for (const each of late) await record.jobs.accept(each)
    await Promise.all(late.map((each) => decide(record.jobs, each)))
    expect(await remaining()).to.deep.equal([...ids(9), 'late1'])
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
    for (const id of ids(5)) await record.jobs.accept({ ...job(id, id), fingerprint: id })
    await record.jobs.accept({ ...job('a', 'me'), fingerprint: 'me' })
    for (const name of ['owner', 'fingerprint']) {
      const filter = { endedAt: null, [name]: 'me' }
      const plan = await database.db.collection('bulkexport.jobs').find(filter).explain('queryPlanner')
      const winning = JSON.stringify(plan['queryPlanner'].winningPlan)
      expect(winning).to.match(new RegExp(`IXSCAN.*"endedAt":1,"${name}":1`))
    }
  })
})
