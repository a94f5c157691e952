import { expect } from 'chai'
import fc from 'fast-check'
import { type Connection, createConnection } from 'mongoose'
import type { Resource } from '../../plugin/fhir/resource.js'
import { cohortOf, freezeCohort } from '../../plugin/jobs/cohort.js'
import { cohortMembers } from '../../plugin/jobs/cohort-members.js'
import { createModels, type Models } from '../../plugin/jobs/collections.js'
import { openExportJobs } from '../../plugin/jobs/export-jobs.js'
import type { IdRange } from '../../plugin/jobs/model.js'
import { PageSizes } from '../../plugin/jobs/page-size.js'
import { planJob } from '../../plugin/jobs/planner.js'
import { readResources } from '../../plugin/jobs/resource-reader.js'
import { hostSearch } from '../../plugin/search/host-search.js'
import { createTestLogger } from '../support/logger.js'
import { useDatabase } from '../support/mongodb.js'
import { deferred } from './calls.js'
import { newJob } from './job-record.js'

/** Ids of all lengths, whose order by code unit is not that of their numbers. */
const idsOf = (count: number) => Array.from({ length: count }, (_, index) => `p${(index * 7919) % 1_000_003}`)

describe('a cohort', () => {
  const database = useDatabase()
  let connection: Connection
  let models: Models
  let model: Models['cohort']
  /** Names of the commands that this connection sent. */
  let commands: string[]

  beforeEach(async () => {
    connection = await createConnection(database.uri, { monitorCommands: true }).asPromise()
    commands = []
    connection.getClient().on('commandStarted', ({ commandName }) => commands.push(commandName))
    models = createModels(connection)
    await openExportJobs(connection, models, 60_000)
    model = models.cohort
  })
  afterEach(() => connection.close())

  const read = async (cohort: string, range: IdRange = {}) => {
    const found: string[] = []
    for await (const patient of cohortOf(model, cohort).patients(range)) found.push(patient)
    return found
  }
  const freeze = async (ids: Iterable<string>, job = 'a') => (await freezeCohort(model, job, ids)).id
  const sorted = (ids: Iterable<string>) => [...new Set(ids)].sort()

  for (const count of [0, 1, 999, 1000, 1001, 2000, 2500]) {
    it(`of ${count} has all patients, each once, in ascending order`, async () => {
      const ids = idsOf(count)
      const found = await read(await freeze([...ids, ...ids.slice(0, 10)]))
      expect(found).to.deep.equal(sorted(ids))
      expect(found).to.have.lengthOf(count)
    })
  }

  it('is in memory once for all tasks that read for it, with all of its members', async () => {
    const ids = idsOf(2500)
    const [cohort, other] = [await freeze(ids), await freeze(['other'])]
    const members = cohortMembers(model)
    commands.length = 0
    const [first, second] = await Promise.all([members.of(cohort), members.of(cohort)])
    const third = await members.of(cohort)
    expect(second).to.equal(first)
    expect(third).to.equal(first)
    // Three pages, and a look for a fourth.
    expect(commands.filter((name) => name === 'find')).to.have.length(4)
    const has = (id: string) => first.has(Buffer.from(id), 0, id.length)
    expect(first.size).to.equal(2500)
    expect(ids.every(has)).to.equal(true)
    expect(has('other')).to.equal(false)
    expect((await members.of(other)).size).to.equal(1)
  })

  it('that could not be read into memory is read again', async () => {
    const cohort = await freeze(['a'])
    const members = cohortMembers(model)
    await connection.close()
    const failed = await members.of(cohort).catch((error: unknown) => error)
    expect(failed).to.be.an('error')
    await connection.openUri(database.uri)
    expect((await members.of(cohort)).size).to.equal(1)
  })

  it('goes on from any patient, that one included', async () => {
    const ids = sorted(idsOf(2500))
    const cohort = await freeze(ids)
    for (const index of [0, 1, 998, 999, 1000, 1001, 1999, 2000, 2498, 2499]) {
      expect(await read(cohort, { from: ids[index] as string }), `from ${index}`).to.deep.equal(
        ids.slice(index),
      )
    }
    expect(await read(cohort, { from: '' })).to.deep.equal(ids)
    expect(await read(cohort, { from: `${ids[1500]}.` })).to.deep.equal(
      ids.filter((id) => id >= `${ids[1500]}.`),
    )
    expect(await read(cohort, { from: 'zzz' })).to.deep.equal([])
  })

  for (const [count, slices] of [
    ...[
      [0, 1],
      [1, 1],
      [1000, 1],
      [1001, 2],
      [2000, 2],
      [2001, 3],
      [16_000, 16],
      [40_001, 16],
    ],
  ] as const) {
    it(`of ${count} is cut into ${slices} slices that differ by a few patients at most`, async () => {
      const ids = sorted(idsOf(count))
      const frozen = await freezeCohort(model, 'a', ids)
      const bounds = [undefined, ...frozen.slices, undefined]
      const found = await Promise.all(
        frozen.slices.concat('').map((_, index) => {
          const [from, below] = bounds.slice(index)
          return read(frozen.id, { ...(from && { from }), ...(below && { below }) })
        }),
      )
      expect(found.flat()).to.deep.equal(ids)
      const sizes = found.map(({ length }) => length)
      expect(sizes).to.have.lengthOf(slices)
      expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(slices)
    })
  }

  it('knows who is in it, in every page and between them', async () => {
    const all = sorted(idsOf(5000))
    const members = all.filter((_, index) => index % 2 === 1)
    const cohort = cohortOf(model, await freeze(members))
    const asked = all.filter((_, index) => index % 9 === 0)
    expect(sorted(await cohort.among(asked))).to.deep.equal(asked.filter((id) => members.includes(id)))
    expect(await cohort.among([])).to.deep.equal(new Set())
    expect(await cohort.among(['', 'zzz', '\u{1f600}', `${members[0]} `])).to.deep.equal(new Set())
  })

  it('is its own, also when another was frozen for the same job', async () => {
    const [first, second, other] = [
      await freeze(['p1', 'p2']),
      await freeze(['p3']),
      await freeze(['p4'], 'b'),
    ]
    expect(await read(first)).to.deep.equal(['p1', 'p2'])
    expect(await read(second)).to.deep.equal(['p3'])
    expect(await read(other)).to.deep.equal(['p4'])
    expect(await cohortOf(model, first).among(['p1', 'p3', 'p4'])).to.deep.equal(new Set(['p1']))
    expect(await read('none')).to.deep.equal([])
    expect(await cohortOf(model, 'none').among(['p1'])).to.deep.equal(new Set())
  })

  it('is what a set of strings is, for any ids', async () => {
    const id = fc.stringMatching(/^[A-Za-z0-9\-.]{1,64}$/)
    await fc.assert(
      fc.asyncProperty(
        fc.array(id, { maxLength: 40 }),
        fc.array(id, { maxLength: 10 }),
        id,
        async (ids, others, from) => {
          const cohort = await freeze(ids)
          expect(await read(cohort)).to.deep.equal(sorted(ids))
          expect(await read(cohort, { from })).to.deep.equal(sorted(ids).filter((one) => one >= from))
          expect(await read(cohort, { below: from })).to.deep.equal(sorted(ids).filter((one) => one < from))
          const among = await cohortOf(model, cohort).among([...others, ...ids.slice(0, 3)])
          expect(among).to.deep.equal(
            new Set([...others, ...ids.slice(0, 3)].filter((one) => ids.includes(one))),
          )
        },
      ),
      { numRuns: 40 },
    )
  })

  // A page of slow searches takes longer than the ten minutes that a server keeps a cursor nobody asks.
  it('goes on when the server has forgotten the cursor', async () => {
    const ids = sorted(idsOf(6000))
    const cohort = await freeze(ids)
    const found: string[] = []
    for await (const patient of cohortOf(model, cohort).patients()) {
      found.push(patient)
      if (found.length === 1500) await forgetCursors()
    }
    expect(found).to.deep.equal(ids)
  })

  // A Group is in the compartments of all its members.
  it('is asked about thousands of patients with few queries', async () => {
    const ids = sorted(idsOf(2500))
    const cohort = await freeze(ids)
    commands = []
    expect((await cohortOf(model, cohort).among(ids)).size).to.equal(2500)
    expect(commands.length, 'queries').to.be.below(100)
  })

  it('reads a resource that all of its patients share with few queries for each of them', async () => {
    const ids = sorted(idsOf(100))
    const cohort = cohortOf(model, await freeze(ids))
    const group = {
      resourceType: 'Group',
      id: 'g',
      member: ids.map((id) => ({ entity: { reference: `Patient/${id}` } })),
    }
    commands = []
    const found: Resource[] = []
    const selection = {
      ...{ type: 'Group', window: { until: new Date() }, base: 'https://fhir.example.org/4_0_0' },
      cohort,
    }
    const search = { search: async () => ({ resources: [group] }) }
    const { signal } = new AbortController()
    for await (const { resource } of readResources(selection, {
      search,
      pages: new PageSizes({ resources: 10, bytes: Infinity }),
      signal,
    }))
      found.push(resource)
    expect(found).to.deep.equal([group])
    expect(commands.length, 'queries').to.be.below(5 * ids.length)
  })

  describe('while two processes plan the same job', () => {
    const opened: Connection[] = []
    afterEach(async () => {
      for (const own of opened.splice(0)) await own.close()
    })

    /** A planner of one process: its search waits for `gate`, and then the group has these members. */
    const planner = async (members: readonly string[], gate = Promise.resolve()) => {
      const own = await createConnection(database.uri).asPromise()
      opened.push(own)
      const models = createModels(own)
      const jobs = await openExportJobs(own, models, 60_000)
      const asked = deferred()
      const member = members.map((id) => ({ entity: { reference: `Patient/${id}` } }))
      const search = async () => {
        asked.resolve()
        await gate
        return [{ resourceType: 'Group', id: 'g', type: 'person', actual: true, member }]
      }
      const dependencies = {
        ...{ jobs, cohorts: models.cohort, logger: createTestLogger().logger, writeGrace: 0 },
        ...{ heartbeat: 1000, stallTimeout: 60_000, planPaused: () => undefined },
        search: hostSearch({ profiles: { Group: { service: { search }, versions: ['4_0_0'] } } }),
      }
      const plan = () => planJob('a', dependencies, new AbortController().signal)
      return { jobs, plan, asked: asked.promise }
    }

    /** The cohort of the job, after a look that it is the only one that is left. */
    const cohortOfJob = async () => {
      const { cohort } = (await models.jobs.findById('a').lean()) as { cohort: string }
      expect(await model.distinct('cohort', { job: 'a' })).to.deep.equal([cohort])
      return read(cohort)
    }

    it('stays what it was once the job runs', async () => {
      const members = idsOf(10)
      const gate = deferred()
      const first = await planner(members)
      const second = await planner(idsOf(20).slice(10), gate.promise)
      await first.jobs.accept(newJob('a', ['Patient']))
      const late = second.plan()
      await second.asked
      await first.plan()
      expect(await cohortOfJob()).to.deep.equal(sorted(members))
      gate.resolve()
      await late
      expect(await first.jobs.job('a')).to.include({ status: 'running' })
      expect(await cohortOfJob()).to.deep.equal(sorted(members))
    })

    it('is whole, and the job runs, when they do everything at the same time', async () => {
      const members = idsOf(5000)
      const first = await planner(members)
      const second = await planner(members)
      await first.jobs.accept(newJob('a', ['Patient']))
      await Promise.all([first.plan(), second.plan()])
      expect(await first.jobs.job('a')).to.include({ status: 'running' })
      expect(await cohortOfJob()).to.deep.equal(sorted(members))
    })

    it('leaves nothing of a job that was cancelled and removed meanwhile', async () => {
      const gate = deferred()
      const { jobs, plan, asked } = await planner(idsOf(10), gate.promise)
      await jobs.accept(newJob('a', ['Patient']))
      const late = plan()
      await asked
      await jobs.cancel('a')
      await jobs.remove('a')
      gate.resolve()
      await late
      expect(await model.countDocuments({ job: 'a' })).to.equal(0)
      expect(await jobs.tasks('a')).to.deep.equal([])
    })
  })

  async function forgetCursors() {
    const admin = connection.getClient().db('admin')
    const open = await admin
      .aggregate([{ $currentOp: { idleCursors: true, allUsers: true } }, { $match: { type: 'idleCursor' } }])
      .toArray()
    const namespace = `${database.name}.bulkexport.cohorts`
    const cursors = open.filter(({ ns }) => ns === namespace).map(({ cursor }) => cursor.cursorId)
    if (cursors.length > 0) await database.db.command({ killCursors: 'bulkexport.cohorts', cursors })
  }
})
