import { expect } from 'chai'
import { FAILURE, file, newJob, position, TYPES, useJobRecord } from './job-record.js'

describe('exportJobs', () => {
  const record = useJobRecord()
  const { documents, planned, claimed, finishAll, database } = record

  it('keeps an accepted job as it came', async () => {
    await record.jobs.accept(newJob('a'))
    expect(await record.jobs.job('a')).to.deep.equal({
      ...newJob('a'),
      status: 'accepted',
      fileNumbers: {},
      served: 0,
    })
    expect(await record.jobs.job('b')).to.equal(undefined)
  })

  it('never accepts two jobs with one id', async () => {
    await record.jobs.accept(newJob('a'))
    await record.jobs.plan({ _id: 'a', types: TYPES })
    const [outcome] = await Promise.allSettled([record.jobs.accept(newJob('a', ['Patient']))])
    expect(outcome?.status).to.equal('rejected')
    expect(await record.jobs.job('a')).to.include({ status: 'running' })
  })

  describe('plan', () => {
    it('makes one waiting task for each type, and the job run', async () => {
      await planned('a')
      const tasks = await record.jobs.tasks('a')
      expect(tasks.map(({ type }) => type).sort()).to.deep.equal(TYPES)
      for (const { _id, ...rest } of tasks) {
        expect(_id).to.match(/^a-\d$/)
        expect(rest).to.include({ job: 'a', status: 'waiting', attempt: 0 })
        expect(rest.files).to.deep.equal([])
      }
      const job = await record.jobs.job('a')
      expect(job?.status).to.equal('running')
      expect(job?.startedAt).to.be.instanceOf(Date)
    })

    it('may be done again at any time, and at the same time, and changes nothing then', async () => {
      await record.jobs.accept(newJob('a'))
      const job = { _id: 'a', types: TYPES }
      await Promise.all(
        Array.from({ length: 8 }, (_, index) => (index % 2 ? record.jobs : record.dying).plan(job)),
      )
      const held = await claimed()
      await record.jobs.commit(held, [file('x-1.ndjson')], position(1))
      const other = await claimed()
      await record.jobs.release(other, 'done')
      const before = [await documents('tasks'), await documents('jobs')]
      await record.jobs.plan(job)
      expect([await documents('tasks'), await documents('jobs')]).to.deep.equal(before)
    })

    it('finishes what another one began', async () => {
      await planned('a', TYPES)
      const tasks = database.db.collection<{ _id: string }>('bulkexport.tasks')
      await tasks.deleteOne({ _id: 'a-1' })
      await database.db
        .collection<{ _id: string }>('bulkexport.jobs')
        .updateOne({ _id: 'a' }, { $set: { status: 'accepted' } })
      await record.jobs.plan({ _id: 'a', types: TYPES })
      expect(await record.jobs.tasks('a')).to.have.lengthOf(3)
      expect(await record.jobs.job('a')).to.include({ status: 'running' })
    })

    it('makes the tasks of the cohort that counts, whoever plans', async () => {
      await record.jobs.accept(newJob('a'))
      const job = { _id: 'a', types: ['A', 'B'] }
      await record.jobs.plan(job, { frozen: { id: 'first', size: 0, slices: ['p2'] } })
      await record.jobs.plan(job, { frozen: { id: 'second', size: 0, slices: ['p5', 'p7', 'p9'] } })
      expect(await record.jobs.job('a')).to.deep.include({ cohort: 'first', slices: ['p2'] })
      const tasks = await record.jobs.tasks('a')
      const ranges = tasks.map(({ type, patients }) => [type, patients?.from, patients?.below].join())
      expect(ranges.sort()).to.deep.equal(['A,,p2', 'A,p2,', 'B,,p2', 'B,p2,'])
    })

    for (const end of ['failed', 'cancelled'] as const) {
      it(`does not make a ${end} job run, nor leaves anything to do for it`, async () => {
        await record.jobs.accept(newJob('a'))
        await (end === 'failed' ? record.jobs.fail('a', FAILURE) : record.jobs.cancel('a'))
        await record.jobs.plan({ _id: 'a', types: TYPES })
        expect(await record.jobs.job('a')).to.include({ status: end })
        expect(await record.jobs.countClaimable()).to.equal(0)
      })
    }

    it('leaves nothing behind when the job was cancelled and removed meanwhile', async () => {
      await record.jobs.accept(newJob('a'))
      await record.jobs.cancel('a')
      await record.jobs.remove('a')
      await record.jobs.plan({ _id: 'a', types: TYPES })
      expect(await documents('tasks')).to.deep.equal([])
    })
  })

  describe('settle', () => {
    it('completes a job when all its tasks are done, and once', async () => {
      await planned('a')
      await planned('b')
      const job = { _id: 'a', types: TYPES }
      for (let done = 0; done < TYPES.length; done += 1) {
        expect(await record.jobs.settle(job), `${done} done`).to.equal(false)
        let task = await claimed()
        while (task.job !== 'a') task = await claimed()
        await record.jobs.release(task, 'done')
      }
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => record.jobs.settle(job)))
      expect(outcomes.filter(Boolean)).to.have.lengthOf(1)
      const settled = await record.jobs.job('a')
      expect(settled?.status).to.equal('completed')
      expect(settled?.endedAt).to.be.instanceOf(Date)
      expect(await record.jobs.job('b')).to.include({ status: 'running' })
    })

    it('does not complete a job of which somebody knows only what it was before it was planned', async () => {
      await record.jobs.accept(newJob('a', ['A']))
      const before = { _id: 'a', types: ['A'] }
      await record.jobs.plan(before, { frozen: { id: 'cohort', size: 0, slices: ['p2', 'p3'] } })
      for (const isLast of [false, false, true]) {
        await record.jobs.release(await claimed(), 'done')
        expect(await record.jobs.settle(before)).to.equal(isLast)
      }
    })

    it('does not complete a job whose tasks have not all been made', async () => {
      await planned('a', ['A', 'B'])
      await finishAll()
      expect(await record.jobs.settle({ _id: 'a', types: ['A', 'B', 'C'] })).to.equal(false)
    })

    for (const end of ['failed', 'cancelled'] as const) {
      it(`leaves a ${end} job as it is`, async () => {
        await planned('a')
        await finishAll()
        await (end === 'failed' ? record.jobs.fail('a', FAILURE) : record.jobs.cancel('a'))
        expect(await record.jobs.settle({ _id: 'a', types: TYPES })).to.equal(false)
        expect(await record.jobs.job('a')).to.include({ status: end })
      })
    }
  })

  describe('the end of a job', () => {
    it('by failure takes all tasks away that are not done, and keeps the reason', async () => {
      await planned('a', ['A', 'B', 'C'])
      await record.jobs.release(await claimed(), 'done')
      await claimed()
      expect(await record.jobs.fail('a', FAILURE)).to.equal(true)
      expect(await record.jobs.job('a')).to.deep.include({ status: 'failed', failure: FAILURE })
      const tasks = await record.jobs.tasks('a')
      expect(tasks.map(({ status }) => status).sort()).to.deep.equal(['cancelled', 'cancelled', 'done'])
      expect(await record.jobs.claim()).to.equal(undefined)
    })

    it('by failure happens once, and only to a job that has not ended', async () => {
      await planned('a')
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => record.jobs.fail('a', FAILURE)))
      expect(outcomes.filter(Boolean)).to.have.lengthOf(1)
      await planned('b')
      await finishAll()
      await record.jobs.settle({ _id: 'b', types: TYPES })
      expect(await record.jobs.fail('b', FAILURE)).to.equal(false)
      expect(await record.jobs.job('b')).to.include({ status: 'completed' })
      expect(await record.jobs.fail('none', FAILURE)).to.equal(false)
    })

    it('by cancel comes in any state, once', async () => {
      await record.jobs.accept(newJob('accepted'))
      for (const id of ['running', 'completed', 'failed']) await planned(id, ['Patient'])
      await finishAll()
      await record.jobs.settle({ _id: 'completed', types: ['Patient'] })
      await record.jobs.fail('failed', FAILURE)
      for (const id of ['accepted', 'running', 'completed', 'failed']) {
        expect(await record.jobs.job(id)).to.include({ status: id })
        const outcomes = await Promise.all([
          record.jobs.cancel(id),
          record.jobs.cancel(id),
          record.jobs.cancel(id),
        ])
        expect(outcomes.filter(Boolean), id).to.have.lengthOf(1)
        expect(await record.jobs.job(id)).to.include({ status: 'cancelled' })
      }
      expect(await record.jobs.cancel('none')).to.equal(undefined)
    })
  })

  it('removes a job with all that belongs to it and nothing else', async () => {
    for (const id of ['a', 'a-1', 'aa', 'b']) {
      await planned(id)
      await record.models.cohort.create({
        _id: `${id}-0`,
        job: id,
        cohort: id,
        last: 'p',
        patients: ['p'],
      })
    }
    const others = async (name: string) =>
      (await documents(name)).filter(({ _id, job = _id }) => String(job) !== 'a')
    const kept = [await others('jobs'), await others('tasks'), await others('cohorts')]
    await record.jobs.remove('a')
    await record.jobs.remove('a')
    expect([await documents('jobs'), await documents('tasks'), await documents('cohorts')]).to.deep.equal(
      kept,
    )
  })

  it('lists the jobs that somebody still has to do something for', async () => {
    await record.jobs.accept(newJob('accepted'))
    await planned('completed', ['Patient'])
    await finishAll()
    await record.jobs.settle({ _id: 'completed', types: ['Patient'] })
    for (const id of ['running', 'failed', 'cancelled']) await planned(id)
    await record.jobs.fail('failed', FAILURE)
    await record.jobs.cancel('cancelled')
    const unsettled = await record.jobs.unsettled()
    const expected = ['accepted', 'cancelled', 'running']
    expect(unsettled.map(({ _id }) => _id).sort()).to.deep.equal([...expected, 'completed'].sort())
    await record.jobs.swept('completed')
    expect((await record.jobs.unsettled()).map(({ _id }) => _id).sort()).to.deep.equal(expected)
  })
})
