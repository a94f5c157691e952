import { expect } from 'chai'
import fc from 'fast-check'
import type { HeldTask } from '../../plugin/jobs/export-jobs.js'
import { FAILURE, file, position, useJobRecord } from './job-record.js'

const RELEASES = ['done', 'waiting', 'cancelled'] as const

describe('exportJobs, for tasks', () => {
  const record = useJobRecord()
  const { connect, documents, taskOf, planned, claimed, finishAll, database } = record

  describe('claim', () => {
    it('takes a waiting task for one lease, by the clock of the database', async () => {
      await planned('a', ['Patient'])
      const { localTime: before } = await database.db.command({ hello: 1 })
      const task = await claimed()
      const { localTime: after } = await database.db.command({ hello: 1 })
      expect(task).to.include({ _id: 'a-0', status: 'running', attempt: 1 })
      expect(task.leaseUntil?.getTime()).to.be.within(before.getTime() + 60_000, after.getTime() + 60_000)
      expect(await record.jobs.claim()).to.equal(undefined)
    })

    it('gives no task to two of many, on several connections', async () => {
      const types = Array.from({ length: 40 }, (_, index) => `Type${index}`)
      await planned('a', types.slice(0, 25))
      await planned('b', types.slice(25))
      const others = [record.jobs, await connect(60_000), await connect(60_000)]
      const claims = await Promise.all(Array.from({ length: 60 }, (_, index) => others[index % 3]?.claim()))
      const found = claims.flatMap((task) => (task === undefined ? [] : [task]))
      expect(found.map(({ type }) => type).sort()).to.deep.equal([...types].sort())
      expect(new Set(found.map(({ attempt }) => attempt))).to.deep.equal(new Set([1]))
    })

    it('gives a task whose runner died to one of many, with all that it had done', async () => {
      await planned('a', ['Patient'])
      const dead = await claimed(record.dying)
      await record.jobs.commit(dead, [file('Patient-1.ndjson')], position(7))
      const claims = await Promise.all(Array.from({ length: 20 }, () => record.jobs.claim()))
      const [next, ...more] = claims.filter((task) => task !== undefined)
      expect(more).to.deep.equal([])
      expect(next).to.deep.include({
        _id: 'a-0',
        attempt: 2,
        position: position(7),
        files: [file('Patient-1.ndjson')],
      })
    })

    it('leaves a task alone whose runner renews', async () => {
      await planned('a', ['Patient'])
      const task = await claimed(record.dying)
      expect(await record.jobs.renew(task)).to.equal(true)
      expect(await record.jobs.countClaimable()).to.equal(0)
      expect(await record.jobs.claim()).to.equal(undefined)
    })
  })

  it('counts what waits and what dead runners left', async () => {
    await planned('a', ['A', 'B', 'C', 'D'])
    expect(await record.jobs.countClaimable()).to.equal(4)
    await record.jobs.release(await claimed(), 'done')
    await claimed()
    expect(await record.jobs.countClaimable()).to.equal(2)
    await claimed(record.dying)
    expect(await record.jobs.countClaimable()).to.equal(2)
  })

  it('keeps the files of a task in order, with the position after the last', async () => {
    await planned('a', ['Patient'])
    const task = await claimed()
    const names = ['Patient-1.ndjson', 'Patient-2.ndjson', 'Patient-7.ndjson']
    for (const [index, name] of names.entries()) {
      expect(await record.jobs.commit(task, [file(name, index)], position(index))).to.equal(true)
      const stored = await taskOf(task)
      expect(stored?.position).to.deep.equal(position(index))
      expect(stored?.files).to.deep.equal(names.slice(0, index + 1).map((kept, at) => file(kept, at)))
    }
  })

  it('restarts a task from nothing, and gives the files that no longer count', async () => {
    await planned('a', ['Patient'])
    const task = await claimed()
    await record.jobs.commit(task, [file('Patient-1.ndjson')], position(1))
    expect(await record.jobs.restart(task)).to.deep.equal([file('Patient-1.ndjson')])
    expect(await record.jobs.restart(task)).to.deep.equal([])
    const stored = await taskOf(task)
    expect(stored).to.deep.include({ status: 'running', attempt: 1, files: [] })
    expect(stored).to.not.have.property('position')
  })

  describe('a runner that lost its task', () => {
    const losses: readonly [string, (task: HeldTask) => Promise<unknown>][] = [
      ['to another attempt', () => claimed()],
      ['by finishing it', (task) => record.jobs.release(task, 'done')],
      ['by handing it back', (task) => record.jobs.release(task, 'waiting')],
      ['to a cancel', () => record.jobs.cancel('a')],
      ['to a failure elsewhere', () => record.jobs.fail('a', FAILURE)],
      ['to the removal of the job', () => record.jobs.remove('a')],
    ]
    for (const [how, lose] of losses) {
      it(`${how} can change nothing any more`, async () => {
        await planned('a', ['Patient'])
        const task = await claimed(record.dying)
        await record.jobs.commit(task, [file('Patient-1.ndjson')], position(1))
        await lose(task)
        const before = [await documents('tasks'), await documents('jobs')]
        expect(await record.jobs.renew(task)).to.equal(false)
        expect(await record.jobs.commit(task, [file('Patient-2.ndjson')], position(2))).to.equal(false)
        expect(await record.jobs.restart(task)).to.equal(undefined)
        for (const status of RELEASES) expect(await record.jobs.release(task, status)).to.equal(false)
        expect([await documents('tasks'), await documents('jobs')]).to.deep.equal(before)
      })
    }
  })

  describe('nextFileNumber', () => {
    it('never gives a number twice, also to parallel calls, attempts and other types', async () => {
      await planned('a', ['A', 'B'])
      await planned('b', ['A'])
      const tasks = [await claimed(), await claimed(), await claimed()]
      for (const task of tasks) {
        const numbers = await Promise.all(
          Array.from({ length: 30 }, () => record.jobs.nextFileNumber(task, task.type ?? '')),
        )
        expect(numbers.sort((a, b) => Number(a) - Number(b))).to.deep.equal(
          numbers.map((_, index) => index + 1),
        )
        await record.jobs.restart(task)
        expect(await record.jobs.nextFileNumber(task, task.type ?? '')).to.equal(31)
      }
    })

    const ends: readonly [string, () => Promise<unknown>][] = [
      ['failed', () => record.jobs.fail('a', FAILURE)],
      ['cancelled', () => record.jobs.cancel('a')],
      ['removed', () => record.jobs.remove('a')],
      ['completed', () => finishAll().then(() => record.jobs.settle({ _id: 'a', types: ['A', 'B'] }))],
    ]
    for (const [name, end] of ends) {
      it(`gives none once the job is ${name}`, async () => {
        await planned('a', ['A', 'B'])
        const task = await claimed()
        await record.jobs.nextFileNumber(task, task.type ?? '')
        if (name === 'completed') await record.jobs.release(task, 'done')
        await end()
        expect(await record.jobs.nextFileNumber(task, task.type ?? '')).to.equal(undefined)
      })
    }
  })

  it('never lets two runners write one task, whatever happens in whatever order', async function () {
    this.timeout(60_000)
    const steps = fc.array(
      fc.tuple(
        fc.constantFrom('claim', 'commit', 'restart', 'done', 'waiting', 'renew', 'die'),
        fc.nat({ max: 5 }),
      ),
      { maxLength: 30 },
    )
    let run = 0
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        run += 1
        await planned(`r${run}`, ['A', 'B'])
        const runners: HeldTask[] = []
        /** By task: who holds it, and the files that count. */
        const holder = new Map<string, number>()
        const files = new Map<string, string[]>()
        const dead = new Set<string>()
        for (const [step, which] of given) {
          const task = runners[which % Math.max(1, runners.length)]
          if (step === 'claim') {
            const next = await record.jobs.claim()
            if (next === undefined) continue
            expect(holder.has(next._id) && !dead.has(next._id), 'claimed although it is held').to.equal(false)
            holder.set(next._id, runners.push(next) - 1)
            dead.delete(next._id)
          } else if (task !== undefined) {
            const isHeld = runners[holder.get(task._id) ?? -1] === task
            const own = files.get(task._id) ?? []
            const name = `f-${own.length + 1}.ndjson`
            const outcome =
              step === 'commit'
                ? await record.jobs.commit(task, [file(name)], position(1))
                : step === 'restart'
                  ? (await record.jobs.restart(task)) !== undefined
                  : step === 'done' || step === 'waiting'
                    ? await record.jobs.release(task, step)
                    : await (step === 'die' ? record.dying : record.jobs).renew(task)
            expect(outcome, step).to.equal(isHeld)
            if (!isHeld) continue
            if (step === 'commit') files.set(task._id, [...own, name])
            if (step === 'restart') files.set(task._id, [])
            if (step === 'done' || step === 'waiting') holder.delete(task._id)
            if (step === 'die') dead.add(task._id)
            if (step === 'renew') dead.delete(task._id)
          }
        }
        for (const { _id, files: stored } of await record.jobs.tasks(`r${run}`)) {
          expect(stored.map(({ name }) => name)).to.deep.equal(files.get(_id) ?? [])
        }
        await record.jobs.remove(`r${run}`)
      }),
      { numRuns: 40 },
    )
  })
})
