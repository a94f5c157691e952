import { expect } from 'chai'
import fc from 'fast-check'
import { FAILURE, file, newJob, position, useJobRecord } from './job-record.js'

describe('the order of tasks', () => {
  const record = useJobRecord()
  const { connect, planned, claimed, taskOf, database } = record
  const MINUTE = 60_000
  /** A running job that came so many minutes after the others. */
  const begin = async (id: string, { types = ['A', 'B'], minute = 0 } = {}) => {
    const transactionTime = new Date(Date.UTC(2024, 0, 31, 12, minute))
    await record.jobs.accept({ ...newJob(id, types), transactionTime })
    await record.jobs.plan({ _id: id, types })
  }
  /** Lets a job have been served so many resources, as a task of it does; that task is done then. */
  const serve = async (id: string, resources: number) => {
    await record.models.jobs.updateOne({ _id: id }, { served: 0 })
    const task = await claimed()
    expect(task.job).to.equal(id)
    await record.jobs.commit(task, [file('A-1.ndjson', resources)], position(1))
    await record.jobs.release(task, 'done')
  }
  const change = (id: string, update: object) =>
    database.db.collection<{ _id: string }>('bulkexport.tasks').updateOne({ _id: id }, [{ $set: update }])
  const claims = async (count: number) => {
    const jobs: string[] = []
    for (let index = 0; index < count; index += 1) jobs.push((await claimed()).job)
    return jobs
  }

  it('is by what their jobs have been served, the least first', async () => {
    await begin('much')
    await serve('much', 10)
    await begin('little')
    await serve('little', 1)
    await begin('nothing')
    expect(await claims(4)).to.deep.equal(['nothing', 'nothing', 'little', 'much'])
  })

  it('is by age among jobs that have been served the same, and by id among those of one moment', async () => {
    for (const [id, minute] of [
      ['d', 1],
      ['c', 3],
      ['b', 2],
      ['a', 2],
      ['e', 0],
    ] as const) {
      await begin(id, { types: ['A'], minute })
    }
    expect(await claims(5)).to.deep.equal(['e', 'd', 'a', 'b', 'c'])
  })

  it('changes with each checkpoint: several jobs take turns', async () => {
    await begin('a', { types: ['A'], minute: 0 })
    await begin('b', { types: ['A'], minute: 1 })
    const order: string[] = []
    for (let turn = 1; turn <= 6; turn += 1) {
      const task = await claimed()
      order.push(task.job)
      await record.jobs.commit(task, [file(`A-${turn}.ndjson`, 1)], position(turn))
      await record.jobs.release(task, 'waiting')
    }
    expect(order).to.deep.equal(['a', 'b', 'a', 'b', 'a', 'b'])
  })

  it('passes over a job that has nothing to claim, however little it has been served', async () => {
    await begin('busy', { types: ['A'] })
    await claimed()
    await begin('much')
    await serve('much', 10)
    await begin('failed')
    await record.jobs.fail('failed', FAILURE)
    expect(await claims(1)).to.deep.equal(['much'])
    expect(await record.jobs.claim()).to.equal(undefined)
  })

  it('has the task of a dead runner in it like one that waits', async () => {
    await begin('much')
    await serve('much', 10)
    await begin('little', { types: ['A'] })
    await claimed(record.dying)
    expect(await claims(2)).to.deep.equal(['little', 'much'])
  })

  it('gives the tasks of a removed job last, so that they hold up nobody', async () => {
    await begin('a', { types: ['A'] })
    await begin('z', { types: ['A'] })
    await record.models.jobs.deleteOne({ _id: 'a' })
    expect(await claims(2)).to.deep.equal(['z', 'a'])
  })

  it('is the same for many that claim at once, who all get different tasks', async () => {
    const types = ['A', 'B', 'C', 'D', 'E']
    await begin('much', { types })
    await serve('much', 10)
    await begin('nothing', { types })
    const others = [record.jobs, await connect(MINUTE), await connect(MINUTE)]
    const found = await Promise.all(Array.from({ length: 12 }, (_, index) => others[index % 3]?.claim()))
    const ids = found.flatMap((task) => (task === undefined ? [] : [task._id]))
    expect(new Set(ids).size).to.equal(ids.length)
    expect(ids).to.have.length(9)
  })

  describe('after a failure', () => {
    it('has the task not before its pause is over, by the clock of the database', async () => {
      await planned('a', ['A'])
      const { localTime: before } = await database.db.command({ hello: 1 })
      expect(await record.jobs.retry(await claimed(), MINUTE)).to.equal(true)
      const { localTime: after } = await database.db.command({ hello: 1 })
      const task = await taskOf({ job: 'a', _id: 'a-0' })
      expect(task).to.include({ status: 'waiting', attempt: 1, failures: 1 })
      expect(task?.notBefore?.getTime()).to.be.within(before.getTime() + MINUTE, after.getTime() + MINUTE)
      expect([await record.jobs.countClaimable(), await record.jobs.claim()]).to.deep.equal([0, undefined])
      await change('a-0', { notBefore: { $add: ['$$NOW', 5 * MINUTE] } })
      expect([await record.jobs.countClaimable(), await record.jobs.claim()]).to.deep.equal([0, undefined])
      await change('a-0', { notBefore: { $subtract: ['$$NOW', 1] } })
      expect(await record.jobs.countClaimable()).to.equal(1)
      const next = await claimed()
      expect(next).to.include({ _id: 'a-0', attempt: 2, failures: 1 })
      expect(next).to.not.have.property('notBefore')
    })

    it('has other tasks in its place, of the same job and of others that have been served more', async () => {
      await begin('much')
      await serve('much', 10)
      await begin('little')
      await record.jobs.retry(await claimed(), MINUTE)
      expect(await claims(2)).to.deep.equal(['little', 'much'])
      expect(await record.jobs.claim()).to.equal(undefined)
    })

    it('counts it until the next checkpoint, and a dead runner counts like one', async () => {
      await planned('a', ['A'])
      for (let failures = 0; failures < 3; failures += 1) {
        const task = await claimed()
        expect(task.failures).to.equal(failures)
        await record.jobs.retry(task, -1000)
      }
      expect((await claimed(record.dying)).failures).to.equal(3)
      expect((await claimed(record.dying)).failures).to.equal(4)
      const task = await claimed()
      expect(task.failures).to.equal(5)
      await record.jobs.commit(task, [], position(1))
      await record.jobs.release(task, 'waiting')
      expect((await claimed()).failures, 'handing back is no failure').to.equal(0)
    })
  })

  describe('isOtherJobWaiting', () => {
    /** What another job has been served, and whether that is worth giving way for one with 5. */
    for (const [served, expected] of [
      [0, true],
      [4, true],
      [5, true],
      [6, false],
    ] as const) {
      it(`is ${expected} for 5 resources when another job waits with ${served}`, async () => {
        await begin('own', { types: ['A'] })
        const own = await claimed()
        await begin('other')
        await record.models.jobs.updateOne({ _id: 'other' }, { served })
        expect(await record.jobs.isOtherJobWaiting(own, 5)).to.equal(expected)
      })
    }

    const nobodies: Readonly<Record<string, () => Promise<unknown>>> = {
      'there is no other job': async () => undefined,
      'other tasks of the same job wait': () => begin('own', { types: ['A', 'B', 'C'] }),
      'others are being worked on': async () => {
        await begin('other', { types: ['A'] })
        await claimed()
      },
      'another one makes a pause': async () => {
        await begin('other', { types: ['A'] })
        await record.jobs.retry(await claimed(), MINUTE)
      },
      'another one is not planned yet': () => record.jobs.accept(newJob('other')),
      'another one has failed': async () => {
        await begin('other')
        await record.jobs.fail('other', FAILURE)
      },
      'the process that cancelled another one died on it': async () => {
        await begin('other')
        await record.models.jobs.updateOne({ _id: 'other' }, { status: 'cancelled' })
      },
    }
    for (const [what, prepare] of Object.entries(nobodies)) {
      it(`is false when ${what}`, async () => {
        await begin('own', { types: ['A'] })
        const own = await claimed()
        if (what.includes('same job')) await record.jobs.remove('own')
        await prepare()
        const asking = what.includes('same job') ? await claimed() : own
        expect(await record.jobs.isOtherJobWaiting(asking, 1000)).to.equal(false)
      })
    }

    it('is true when a runner of another job died', async () => {
      await begin('other', { types: ['A'] })
      await claimed(record.dying)
      await record.models.tasks.updateOne({ _id: 'other-0' }, { leaseUntil: new Date(Date.now() + MINUTE) })
      await begin('own', { types: ['A'] })
      const own = await claimed()
      expect(await record.jobs.isOtherJobWaiting(own, 0), 'while it is taken for alive').to.equal(false)
      await change('other-0', { leaseUntil: { $subtract: ['$$NOW', 1] } })
      expect(await record.jobs.isOtherJobWaiting(own, 0)).to.equal(true)
    })
  })

  it('serves nobody more than one part more than whoever has got least, for any parts', async () => {
    const parts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 5, maxLength: 30 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(parts, async (sizes) => {
        run += 1
        const ids = ['x', 'y', 'z'].map((name) => `${name}${run}`)
        for (const id of ids) await begin(id, { types: ['A'] })
        const served = new Map(ids.map((id) => [id, 0]))
        for (const [index, size] of sizes.entries()) {
          const task = await claimed()
          expect(served.get(task.job)).to.equal(Math.min(...served.values()))
          await record.jobs.commit(task, [file(`A-${index}.ndjson`, size)], position(index))
          await record.jobs.release(task, 'waiting')
          served.set(task.job, (served.get(task.job) ?? 0) + size)
        }
        for (const [id, count] of served) expect((await record.jobs.job(id))?.served).to.equal(count)
        for (const id of ids) await record.jobs.remove(id)
      }),
      { numRuns: 15 },
    )
  })
})
