import { expect } from 'chai'
import { ObjectId } from 'mongodb'
import type { HostProfile, ProfileService } from '../../plugin/index.js'
import type { TypesReading } from '../../plugin/jobs/reading-way.js'
import { collectionName, ensureIndexes } from '../../scripts/host/index.js'
import { startHost, store, type TestHost } from '../support/export-host.js'
import { exportedLines, kickOff, type Parameters, queryingProfiles } from '../support/exported-lines.js'
import { useDatabase } from '../support/mongodb.js'

const meta = { lastUpdated: '2024-05-01T12:00:00.000Z' }
const to = (patient: string) => ({ reference: `Patient/${patient}` })
const PATIENTS = ['a', 'b', 'c', 'd'].map((id) => ({ resourceType: 'Patient', id, meta, active: id < 'c' }))
const CONDITIONS = [
  { id: 'a1', subject: to('a'), code: { text: 'x' } },
  { id: 'a2', subject: to('a'), code: { text: 'y' } },
  { id: 'ab', subject: to('a'), asserter: to('b'), code: { text: 'x' }, recorder: to('c') },
  { id: 'c1', subject: to('c'), code: { text: 'x' } },
].map((condition) => ({ resourceType: 'Condition', meta, ...condition }))
const GROUP = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true, meta },
  member: ['a', 'd'].map((id) => ({ entity: to(id) })),
}

type ExportQuery = NonNullable<ProfileService['exportQuery']>
type Call = readonly [args: Readonly<Record<string, unknown>>, context: { readonly req: unknown }]
/** What a service sees of a request. */
interface Seen {
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly originalUrl: string
}

describe('a service with exportQuery', function () {
  this.timeout(30_000)
  const database = useDatabase()
  let open: TestHost | undefined
  beforeEach(async () => {
    await store(database, [...PATIENTS, ...CONDITIONS, GROUP])
  })
  afterEach(async () => {
    await open?.close()
    open = undefined
  })

  /** The search of a Condition is not to be asked, unless it is given. */
  const start = async (exportQuery: ExportQuery, search: ProfileService['search'] = neverAsked) => {
    const profile: HostProfile = { service: { search, exportQuery }, versions: ['4_0_0'] }
    open = await startHost(database, {
      types: ['Patient', 'Condition', 'Group', 'Basic'],
      profiles: { Condition: profile },
      options: { collections: (type) => (type === 'Condition' ? 'not-this-one' : undefined) },
    })
    return open
  }
  const neverAsked = () => Promise.reject(new Error('the service was asked'))
  const idsOf = (lines: readonly string[] = []) =>
    lines.map((line) => (JSON.parse(line) as { id: string }).id).sort()
  const collection = collectionName('Condition', '4_0_0')
  const exported = async (host: TestHost, path: string, parameters: Parameters = {}) => {
    const found = await exportedLines(host, database, path, { _type: 'Condition', ...parameters })
    return { ...found, ids: idsOf(found.lines.get('Condition')) }
  }
  const failed = async (host: TestHost) => {
    const statusUrl = await kickOff(host, '$export', { _type: 'Condition' })
    expect(await host.ended(statusUrl)).to.equal('failed')
    const answer = await fetch(statusUrl)
    return `${answer.status} ${await answer.text()}`
  }

  it('decides what is exported, for the caller of the kick-off, with the arguments that search would get', async () => {
    const calls: Call[] = []
    const host = await start(async (...call) => {
      calls.push(call)
      return { collection, filter: { 'code.text': 'x' } }
    })
    expect((await exported(host, '$export')).ids).to.deep.equal(['a1', 'ab', 'c1'])
    expect((await exported(host, 'Patient/$export')).ids).to.deep.equal(['a1', 'ab', 'c1'])
    expect((await exported(host, 'Group/g/$export')).ids).to.deep.equal(['a1', 'ab'])
    for (const [args, { req }] of calls) {
      const { query, originalUrl, headers } = req as Seen
      expect(args).to.deep.equal({ base_version: '4_0_0' })
      expect(query).to.deep.equal({})
      expect(originalUrl).to.equal('/4_0_0/Condition')
      expect(headers['accept']).to.equal('application/fhir+json')
    }
  })

  it('is asked for each _typeFilter, and what several of them find comes once', async () => {
    const queries: unknown[] = []
    const host = await start((args, { req }) => {
      queries.push((req as Seen).query)
      const subject = args['subject'] as string | undefined
      return { collection, filter: subject ? { 'subject.reference': subject } : { 'code.text': 'x' } }
    })
    const _typeFilter = ['Condition?subject=Patient/a', 'Condition?code=x']
    const { ids, job } = await exported(host, '$export', { _typeFilter })
    expect(ids).to.deep.equal(['a1', 'a2', 'ab', 'c1'])
    expect(queries).to.deep.include.members([{ subject: 'Patient/a' }, { code: 'x' }])
    expect(job.readings).to.deep.equal([
      { way: 'scan', reason: 'its service has exportQuery', types: ['Condition'] },
    ])
  })

  it('that gives too much makes nothing wider: type, time and membership are checked', async () => {
    await database.db.collection<{ _id: unknown }>(collection).insertMany([
      { _id: new ObjectId(), resourceType: 'Observation', id: 'other-type', meta, subject: to('a') },
      {
        _id: 5,
        resourceType: 'Condition',
        id: 'late',
        meta: { lastUpdated: '2999-01-01T00:00:00Z' },
        subject: to('a'),
      },
      { _id: 6, resourceType: 'Condition', id: 'stranger', meta, subject: to('aa') },
    ] as never)
    const host = await start(() => ({ collection, filter: {} }))
    for (const isIndexed of [false, true]) {
      if (isIndexed) {
        await database.db
          .collection(collection)
          .createIndexes([{ key: { 'subject.reference': 1 } }, { key: { 'asserter.reference': -1, x: 1 } }])
        await store(database, manyPatients())
      }
      const { ids, job } = await exported(host, 'Group/g/$export')
      expect(ids).to.deep.equal(['a1', 'a2', 'ab'])
      expect(job.scans?.['Condition']?.by).to.equal(isIndexed ? 'patients' : 'ranges')
    }
  })

  it('may have BSON values of another version of the driver in its filter', async () => {
    const mine = new ObjectId()
    const secret = new ObjectId()
    await database.db.collection<{ _id: unknown }>(collection).insertMany([
      { _id: mine, resourceType: 'Condition', id: 'mine', meta, subject: to('a') },
      { _id: secret, resourceType: 'Condition', id: 'secret', meta, subject: to('a') },
    ] as never)
    const foreign = Object.create(
      { _bsontype: 'ObjectID', toString: () => secret.toHexString() },
      { id: { value: secret.id, enumerable: true } },
    )
    const host = await start(() => ({ collection, filter: { _id: { $nin: [foreign] } } }))
    expect((await exported(host, '$export')).ids).to.deep.equal(['a1', 'a2', 'ab', 'c1', 'mine'])
  })

  const refused: readonly (readonly [what: string, exportQuery: ExportQuery, text: RegExp])[] = [
    ['throws', () => Promise.reject(new Error('secret')), /^500 .*log of the server/],
    [
      'names no collection',
      () => ({ filter: {} }),
      /exportQuery of the service of Condition names no collection/,
    ],
    ['gives no filter', () => ({ collection }), /exportQuery of the service of Condition gives no filter/],
    [
      'gives a function',
      () => ({ collection, filter: { $where: () => true } }),
      /Condition.*a function in it/,
    ],
  ]
  for (const [what, exportQuery, text] of refused) {
    it(`that ${what} fails the export, which says what has to be done`, async () => {
      const host = await start(exportQuery)
      const answer = await failed(host)
      if (what !== 'throws')
        expect(answer)
          .to.match(text)
          .and.match(/Let it return/)
      expect(answer)
        .to.match(/^500 /)
        .and.not.match(/secret| {4}at /)
    })
  }

  it('is searched instead when its filter has what no scan can have', async () => {
    const host = await start(
      () => ({ collection, filter: { $text: { $search: 'x' } } }),
      () => Promise.resolve(CONDITIONS.slice(0, 1)),
    )
    const { ids, job } = await exported(host, '$export')
    expect(ids).to.deep.equal(['a1'])
    expect(job.scans).to.equal(undefined)
    expect(job.readings?.map(({ way, reason }) => `${way}: ${reason}`)).to.deep.equal([
      'search: its exportQuery gives a filter with $text, which no scan can have',
    ])
  })

  it('makes no task for a type without documents, and an export without any task is complete', async () => {
    await database.db.createCollection('without-documents')
    const host = await start(() => ({ collection: 'without-documents', filter: {} }))
    const { lines, errors, job } = await exported(host, '$export')
    expect([lines.size, errors.length]).to.deep.equal([0, 0])
    expect(
      await database.db.collection('bulkexport.tasks').countDocuments({ job: job._id as never }),
    ).to.equal(0)
    const planned = host.log.find(({ message }) => message === 'job.planned')
    expect(planned).to.deep.include({ tasks: 0 })
    expect(planned?.['readings'] as TypesReading[]).to.deep.equal([
      { way: 'scan', reason: 'its service has exportQuery; its collection is empty', types: ['Condition'] },
    ])
  })

  it('of Patient that refuses the caller does not keep other types from being exported', async () => {
    await ensureIndexes(database.db, ['Condition'])
    open = await startHost(database, {
      types: ['Patient', 'Condition', 'Group'],
      profiles: {
        Condition: {
          service: { search: neverAsked, exportQuery: () => ({ collection, filter: {} }) },
          versions: ['4_0_0'],
        },
        Patient: { service: { search: neverAsked, exportQuery: neverAsked }, versions: ['4_0_0'] },
      },
    })
    const { ids, job } = await exported(open, 'Group/g/$export')
    expect(ids).to.deep.equal(['a1', 'a2', 'ab'])
    expect(job.scans?.['Condition']?.by).to.equal('patients')
  })

  it('may keep several types in one collection, of which its filter takes its own', async () => {
    const shared = database.db.collection('shared')
    await shared.insertMany(
      [...manyPatients(), ...PATIENTS, ...CONDITIONS].map((resource) => ({ ...resource })),
    )
    for (const field of ['id', 'subject.reference', 'asserter.reference'])
      await shared.createIndex({ [field]: 1 })
    const profile = (resourceType: string): HostProfile => ({
      service: {
        search: neverAsked,
        exportQuery: () => ({ collection: 'shared', filter: { resourceType } }),
      },
      versions: ['4_0_0'],
    })
    open = await startHost(database, {
      types: ['Patient', 'Condition', 'Group'],
      profiles: { Condition: profile('Condition'), Patient: profile('Patient') },
    })
    const found = await exported(open, 'Group/g/$export', { _type: 'Condition,Patient' })
    expect(found.ids).to.deep.equal(['a1', 'a2', 'ab'])
    expect(idsOf(found.lines.get('Patient'))).to.deep.equal(['a', 'd'])
    expect(Object.values(found.job.scans ?? {}).map(({ by }) => by)).to.deep.equal(['patients', 'patients'])
    const all = await exported(open, 'Patient/$export', { _type: 'Condition,Patient' })
    expect(all.ids).to.deep.equal(['a1', 'a2', 'ab', 'c1'])
    expect(all.lines.get('Patient')).to.have.length(54)
  })

  it('says that there is no Provenance; any that there is is searched for by what it is about', async () => {
    const profiles = queryingProfiles(database)
    const served = ['Patient', 'Condition', 'Group', 'Provenance']
    open = await startHost(database, {
      types: served,
      profiles: Object.fromEntries(served.map((type) => [type, profiles[type] as HostProfile])),
    })
    const asked = { _type: 'Condition,Provenance' }
    const without = await exported(open, 'Group/g/$export', asked)
    expect(without.job.scans?.['Provenance']?.by).to.equal('nothing')
    expect([...without.lines.keys()]).to.deep.equal(['Condition'])
    const target = (id: string) => [{ reference: `Condition/${id}` }]
    await store(database, [
      { resourceType: 'Provenance', id: 'about-a1', meta, target: target('a1') },
      { resourceType: 'Provenance', id: 'about-c1', meta, target: target('c1') },
    ])
    const { lines, job } = await exported(open, 'Group/g/$export', asked)
    expect(idsOf(lines.get('Provenance'))).to.deep.equal(['about-a1'])
    expect(job.readings?.at(-1)).to.deep.equal({
      ...{
        way: 'search',
        reason: 'associated Provenance is chosen by other resources',
        types: ['Provenance'],
      },
    })
  })

  it('is used for a type, and what else is searched is told in one line with the reasons', async () => {
    await ensureIndexes(database.db, ['Condition'])
    const host = await start(() => ({ collection, filter: {} }))
    const { job } = await exported(host, 'Group/g/$export', { _type: 'Condition,Patient,Basic' })
    const ways = job.readings?.map(({ way, reason, types }) => `${way} ${types}: ${reason}`)
    expect(ways).to.deep.equal([
      'scan Condition: its service has exportQuery; by its indexes on patients, as few are asked for',
      'search Patient,Basic: its service has no exportQuery and no collection is known',
    ])
    expect(host.log.filter(({ message }) => message === 'job.planned')).to.have.length(1)
  })
})

function manyPatients() {
  return Array.from({ length: 50 }, (_, index) => ({ resourceType: 'Patient', id: `many-${index}`, meta }))
}
