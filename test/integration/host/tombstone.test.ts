import { expect } from 'chai'
import type { DeletedResource } from '../../../plugin/search/host-hooks.js'
import { createHostConfig, deletedSince, ensureIndexes } from '../../../scripts/host/index.js'
import {
  announceDeletion,
  stampTombstone,
  type Tombstone,
  tombstonesOf,
} from '../../../scripts/host/tombstone.js'
import { useDatabase } from '../../support/mongodb.js'
import { type HostServer, startHost } from './host-server.js'

const BEGINNING = new Date(0)
const FUTURE = new Date('9999-12-31T23:59:59Z')

describe('tombstones of the example host', () => {
  const database = useDatabase()
  let host: HostServer

  beforeEach(async () => {
    host = await startHost(database.db, ['Patient', 'Observation', 'Group', 'Organization'])
  })
  afterEach(() => host.close())

  const tombstones = (type: string) => tombstonesOf(database.db, type)
  const resources = (type: string) => database.db.collection<{ _id: string }>(`${type}_4_0_0`)
  const put = (type: string, id: string, content: object = {}) =>
    host.send('PUT', `${type}/${id}`, { resourceType: type, id, ...content })
  const remove = async (type: string, id: string) => {
    expect((await host.send('DELETE', `${type}/${id}`)).status).to.equal(204)
  }
  const stampOf = async (type: string, id: string) => {
    const { deletedAt } = (await tombstones(type).findOne({ _id: id })) as Tombstone
    return deletedAt as Date
  }
  const databaseTime = async () => (await database.db.command({ hello: 1 }))['localTime'] as Date

  const stream = (type: string, since = BEGINNING, until = FUTURE, signal = new AbortController().signal) =>
    deletedSince(database.db)(type, since, until, {
      ...{ version: '4_0_0', user: undefined, signal },
    }) as AsyncGenerator<DeletedResource>
  const listed = async (type: string, since?: Date, until?: Date) => {
    const found: DeletedResource[] = []
    for await (const each of stream(type, since, until)) found.push(each)
    return found
  }
  const idsOf = async (...args: Parameters<typeof listed>) => (await listed(...args)).map(({ id }) => id)
  const patientsOf = async (type: string) => (await listed(type)).map(({ patients }) => patients)

  const observation = (...patients: string[]) => ({
    subject: { reference: patients[0] },
    performer: patients.slice(1).map((reference) => ({ reference })),
  })

  /** Cursors on tombstones that the server keeps open for a reader. */
  const openCursors = (type: string) =>
    database.db.client
      .db('admin')
      .aggregate([
        { $currentOp: { idleCursors: true } },
        { $match: { ns: tombstones(type).namespace, type: 'idleCursor' } },
      ])
      .toArray()

  describe('after a deletion', () => {
    it('tell when it was and in whose compartment the resource had been', async () => {
      await put('Observation', 'o', observation('Patient/a', 'Practitioner/x', 'Patient/b', 'Patient/a'))
      await put('Patient', 'p')
      await put('Group', 'g', {
        member: ['Patient/a', 'Patient/c'].map((reference) => ({ entity: { reference } })),
      })
      await put('Organization', 'n')
      const before = await databaseTime()
      for (const [type, id, patients] of [
        ['Observation', 'o', ['a', 'b']],
        ['Patient', 'p', ['p']],
        ['Group', 'g', ['a', 'c']],
        ['Organization', 'n', []],
      ] as const) {
        await remove(type, id)
        const [found, ...others] = await listed(type)
        expect(found).to.deep.include({ id, patients })
        expect(found?.deletedAt).to.be.within(before, await databaseTime())
        expect(others).to.deep.equal([])
        expect(await resources(type).countDocuments()).to.equal(0)
      }
    })

    it('know this server in absolute references, and no other', async () => {
      await put(
        'Observation',
        'o',
        observation(`${host.base}/Patient/a`, 'https://other.org/4_0_0/Patient/b'),
      )
      await remove('Observation', 'o')
      expect(await patientsOf('Observation')).to.deep.equal([['a']])
    })

    it('know it by its public URL where one is set', async () => {
      await put('Observation', 'o', observation('https://fhir.example.org/4_0_0/Patient/a'))
      const { profiles } = createHostConfig({ db: database.db, baseUrl: 'https://fhir.example.org' })
      const removed = await profiles['Observation']?.service.remove({ id: 'o' }, { req: {} })
      expect(removed).to.deep.equal({ deleted: '1' })
      expect(await patientsOf('Observation')).to.deep.equal([['a']])
    })

    it('are there for resources that were loaded without a version', async () => {
      await resources('Patient').insertOne({ _id: 'p', ...{ resourceType: 'Patient', id: 'p' } })
      await remove('Patient', 'p')
      expect(await patientsOf('Patient')).to.deep.equal([['p']])
    })

    it('are not made for what is not there', async () => {
      await remove('Patient', 'p')
      expect(await tombstones('Patient').countDocuments()).to.equal(0)
    })

    it('are one for each id, of the latest deletion, for all who had it before one', async () => {
      await put('Observation', 'o', observation('Patient/a'))
      await remove('Observation', 'o')
      const long = new Date('2020-01-01')
      await tombstones('Observation').updateOne({ _id: 'o' }, { $set: { deletedAt: long } })
      await put('Observation', 'o', observation('Patient/b'))
      await remove('Observation', 'o')
      expect(await listed('Observation', BEGINNING, long)).to.deep.equal([])
      expect(await patientsOf('Observation')).to.deep.equal([['b', 'a']])
      expect(await tombstones('Observation').countDocuments()).to.equal(1)
    })

    it('are no resources, and have an index of their own', async () => {
      await put('Patient', 'p')
      await remove('Patient', 'p')
      const keys = async () =>
        (await tombstones('Patient').indexes()).map(({ key }) => Object.keys(key).join(' '))
      expect(await keys()).to.deep.equal(['_id', 'deletedAt _id'])
      await tombstones('Patient').dropIndexes()
      await ensureIndexes(database.db)
      expect(await keys()).to.deep.equal(['_id', 'deletedAt _id'])
      expect(await host.searchAll('Patient')).to.deep.equal([])
      expect(
        (await database.db.listCollections({ name: /_deleted/ }).toArray()).map(({ name }) => name),
      ).to.deep.equal(['Patient_4_0_0_deleted'])
    })
  })

  describe('of simultaneous requests', () => {
    const TIMES = Array.from({ length: 20 })

    it('are one for one resource', async () => {
      await put('Patient', 'p')
      await Promise.all(TIMES.map(() => remove('Patient', 'p')))
      expect(await idsOf('Patient')).to.deep.equal(['p'])
      expect(await tombstones('Patient').countDocuments()).to.equal(1)
      expect(await tombstones('Patient').findOne()).to.not.have.property('attempt')
    })

    it('are about what was deleted, whoever changes it meanwhile', async () => {
      await put('Observation', 'o', observation('Patient/a'))
      await Promise.all([
        ...TIMES.map((_, index) => put('Observation', 'o', observation(`Patient/p${index}`))),
        ...TIMES.map(() => remove('Observation', 'o')),
        ...TIMES.map(() => listed('Observation')),
      ])
      const left = (await host.searchAll('Observation')) as { subject?: { reference: string } }[]
      const latest = left[0]?.subject?.reference
      await remove('Observation', 'o')
      const found = await tombstones('Observation').findOne()
      if (latest !== undefined) expect(found?.patients.map((id) => `Patient/${id}`)).to.deep.equal([latest])
      expect(found?.patients).to.have.length(1)
      expect(await tombstones('Observation').findOne()).to.not.have.property('attempt')
    })
  })

  describe('when a process died', () => {
    const announce = async () => {
      const resource = { resourceType: 'Patient', id: 'p' }
      return announceDeletion(tombstones('Patient'), resource, host.base)
    }

    it('before the deletion: tell of none until there is one', async () => {
      await put('Patient', 'p')
      await announce()
      expect(await listed('Patient')).to.deep.equal([])
      const before = await databaseTime()
      await remove('Patient', 'p')
      expect(await idsOf('Patient')).to.deep.equal(['p'])
      expect(await stampOf('Patient', 'p')).to.be.at.least(before)
    })

    it('after the deletion: are stamped when they are found, and stay so', async () => {
      await announce()
      const start = await databaseTime()
      const past = new Date(start.getTime() - 1000)
      // For an export that began in the past this is too late, and for the next one it is not.
      expect(await listed('Patient', BEGINNING, past)).to.deep.equal([])
      const stamp = await stampOf('Patient', 'p')
      expect(stamp).to.be.at.least(start)
      expect(await idsOf('Patient', past, FUTURE)).to.deep.equal(['p'])
      await remove('Patient', 'p')
      expect(await stampOf('Patient', 'p')).to.deep.equal(stamp)
    })

    it('and another one deletes the resource: are stamped by the last attempt only', async () => {
      await put('Patient', 'p')
      const first = await announce()
      const second = await announce()
      await stampTombstone(tombstones('Patient'), 'p', first)
      expect(await stampOf('Patient', 'p')).to.equal(null)
      await stampTombstone(tombstones('Patient'), 'p', second)
      expect(await stampOf('Patient', 'p')).to.be.an.instanceOf(Date)
    })
  })

  describe('as a stream', () => {
    const COUNT = 5000
    const at = (milliseconds: number) => new Date(Date.UTC(2024, 0, 1) + milliseconds)
    const store = (count: number) =>
      tombstones('Patient').insertMany(
        Array.from({ length: count }, (_, index) => {
          // In another order than that of the times, two of which are the same.
          const place = (index * 7919) % count
          const deletedAt = at(Math.floor(place / 2))
          return {
            ...{ _id: `p${place}`, resourceType: 'Patient', patients: [`p${place}`], earlier: [] },
            deletedAt,
          }
        }),
      )

    it('come after the one time and up to the other', async () => {
      await store(8)
      expect(await idsOf('Patient', at(0), at(2))).to.deep.equal(['p2', 'p3', 'p4', 'p5'])
      expect(await idsOf('Patient', at(1), at(1))).to.deep.equal([])
      expect(await idsOf('Patient', at(2), at(2.5))).to.deep.equal([])
      expect(await idsOf('Patient', at(2), FUTURE)).to.deep.equal(['p6', 'p7'])
      expect(await idsOf('Observation')).to.deep.equal([])
    })

    it('come in the order of their deletion, out of the index', async () => {
      await store(COUNT)
      await ensureIndexes(database.db)
      const found = await listed('Patient')
      const byTime = [...found].sort(
        (a, b) => a.deletedAt.getTime() - b.deletedAt.getTime() || (a.id < b.id ? -1 : 1),
      )
      expect(found).to.have.length(COUNT)
      expect(found).to.deep.equal(byTime)
    })

    it('let go of the database when the reader stops early', async () => {
      await store(COUNT)
      for await (const { id } of stream('Patient')) {
        expect(id).to.equal('p0')
        expect(await openCursors('Patient')).to.have.length(1)
        break
      }
      expect(await openCursors('Patient')).to.deep.equal([])
    })

    it('end when nobody waits any more', async () => {
      await store(COUNT)
      const controller = new AbortController()
      const reason = new Error('nobody waits')
      const read = async () => {
        for await (const _ of stream('Patient', BEGINNING, FUTURE, controller.signal))
          controller.abort(reason)
      }
      expect(await read().catch((error: unknown) => error)).to.equal(reason)
      expect(await openCursors('Patient')).to.deep.equal([])
      expect(
        await stream('Patient', BEGINNING, FUTURE, controller.signal)
          .next()
          .catch((error: unknown) => error),
      ).to.equal(reason)
    })
  })
})
