import { expect } from 'chai'
import {
  type BulkExportOptions,
  type Diagnosis,
  type DoctorOptions,
  type ProfileService,
  runDoctor,
} from '../../../plugin/index.js'
import { useDatabase } from '../../support/mongodb.js'
import { type DoctorHost, doctorHost, troubles } from './doctor-host.js'
import { isAsked, observations } from './faults.js'
import { type ModelResource, modelProfile } from './model-service.js'

type ExportQuery = NonNullable<ProfileService['exportQuery']>

const COLLECTION = 'kept_observations'
const FEW = observations(6)
const MANY = observations(60)

/** What a good service gives: the query of its search, which knows `_id`. */
const good: ExportQuery = (args) => ({
  collection: COLLECTION,
  filter: isAsked(args, '_id') ? { id: args['_id'] } : {},
})

/** True, after a while for each document. */
const SLOW = {
  $lt: [
    {
      $reduce: {
        input: { $range: [0, 300_000] },
        initialValue: 0,
        in: { $max: ['$$value', { $strLenCP: '$id' }] },
      },
    },
    1000,
  ],
}

describe('the doctor on a service with exportQuery', () => {
  const database = useDatabase()
  let open: DoctorHost | undefined
  afterEach(async () => {
    await open?.close()
    open = undefined
  })
  const keep = (documents: readonly object[]) =>
    database.db.collection(COLLECTION).insertMany(documents.map((document) => ({ ...document })))
  const examine = async (
    given: readonly ModelResource[],
    exportQuery: ExportQuery,
    {
      doctor = {},
      options = {},
    }: { readonly doctor?: DoctorOptions; readonly options?: Partial<BulkExportOptions> } = {},
  ) => {
    const { service, versions } = modelProfile(given)
    const profiles = { Observation: { service: { ...(service as ProfileService), exportQuery }, versions } }
    open = await doctorHost(database, profiles, options)
    return runDoctor(open.bulkExport, doctor)
  }
  const said = ({ findings }: Diagnosis) =>
    findings.filter(({ level, area }) => level !== 'ok' && area === 'reading').map(({ what }) => what)
  const readingOf = ({ readings: [reading] }: Diagnosis) => `${reading?.way}: ${reading?.reason}`

  for (const [name, resources] of [
    ['few', FEW],
    ['many', MANY],
    ['no', []],
  ] as const) {
    it(`finds nothing wrong with a good one that has ${name} resources`, async () => {
      if (resources.length > 0) await keep(resources)
      const diagnosis = await examine(resources, good)
      expect(said(diagnosis)).to.deep.equal([])
      expect(readingOf(diagnosis)).to.equal('scan: its service has exportQuery')
      expect(diagnosis.isComplete).to.equal(true)
    })
  }

  it('finds nothing wrong when both have the same rules for a caller', async () => {
    await keep([...MANY, { ...FEW[0], id: 'secret-hidden', isHidden: true }])
    const diagnosis = await examine(MANY, async (args) => ({
      collection: COLLECTION,
      filter: { isHidden: { $exists: false }, ...(isAsked(args, '_id') ? { id: args['_id'] } : {}) },
    }))
    expect(said(diagnosis)).to.deep.equal([])
  })

  it('asks it a few times, as the core would ask search, on behalf of the caller', async () => {
    await keep(FEW)
    const calls: { readonly args: object; readonly user: unknown }[] = []
    const exportQuery: ExportQuery = (args, context) => {
      calls.push({ args, user: (context.req as { user: unknown }).user })
      return good(args, context)
    }
    await examine(FEW, exportQuery, { doctor: { caller: { user: { sub: 'u' } } } })
    expect(calls).to.deep.equal([
      { args: { base_version: '4_0_0' }, user: { sub: 'u' } },
      { args: { base_version: '4_0_0', _id: FEW[0]?.id }, user: { sub: 'u' } },
    ])
  })

  /** What is kept is what the service gives, if nothing else is said. */
  const faults: readonly {
    readonly name: string
    readonly exportQuery: ExportQuery
    readonly given?: readonly ModelResource[]
    readonly kept?: readonly object[]
    readonly level?: 'warning'
    readonly doctor?: DoctorOptions
    readonly says: RegExp
  }[] = [
    {
      name: 'throws',
      exportQuery: () => Promise.reject(new TypeError('secret')),
      says: /^Its exportQuery throws TypeError\.$/,
    },
    {
      name: 'throws at once',
      exportQuery: () => {
        throw Object.assign(new Error('secret'), { statusCode: 403 })
      },
      says: /throws Error with status 403/,
    },
    {
      name: 'hangs',
      exportQuery: () => new Promise(() => undefined),
      doctor: { stepTimeout: 500 },
      says: /gives no answer within 0\.5 s/,
    },
    { name: 'gives nothing', exportQuery: () => undefined, says: /gives no query that can be run/ },
    { name: 'gives no filter', exportQuery: () => ({ collection: COLLECTION }), says: /gives no query/ },
    {
      name: 'gives a filter that nothing can run',
      exportQuery: () => ({ collection: COLLECTION, filter: { $secret: 1 } }),
      says: /^The database refuses the query of its exportQuery\.$/,
    },
    {
      name: 'names another collection for a search',
      exportQuery: (args) => ({ collection: isAsked(args, '_id') ? 'other' : COLLECTION, filter: {} }),
      says: /does not always name the same collection/,
    },
    {
      name: 'names a collection that there is not',
      exportQuery: () => ({ collection: 'no_such', filter: {} }),
      says: /^The collection that its exportQuery names lacks a resource/,
    },
    {
      name: 'names a collection of something else',
      exportQuery: good,
      kept: observations(3, () => ({ resourceType: 'Patient' })),
      says: /^Its exportQuery finds documents that are no plain FHIR JSON/,
    },
    {
      name: 'leaves out what search gives',
      exportQuery: () => ({ collection: COLLECTION, filter: { id: { $ne: FEW[3]?.id } } }),
      says: /^The filter of its exportQuery leaves out/,
    },
    {
      name: 'finds what search does not give, where that is little',
      exportQuery: good,
      given: FEW.slice(0, 5),
      kept: FEW,
      says: /^Its exportQuery finds resources that its search does not give/,
    },
    {
      name: 'finds what search does not give, where that is much',
      exportQuery: good,
      given: MANY,
      kept: [{ ...FEW[0], id: 'secret-hidden' }, ...MANY],
      says: /^Its exportQuery finds resources that its search does not give/,
    },
    {
      name: 'finds what search does not give, far from what it gives first',
      exportQuery: good,
      given: MANY,
      kept: [...MANY, { ...FEW[0], id: 'secret-hidden' }],
      says: /^Its exportQuery finds resources that its search does not give/,
    },
    {
      name: 'finds what search does not give, where it gives nothing',
      exportQuery: good,
      given: [],
      kept: FEW,
      says: /^Its exportQuery finds resources that its search does not give/,
    },
    {
      name: 'ignores its arguments',
      exportQuery: () => ({ collection: COLLECTION, filter: {} }),
      says: /^Its exportQuery ignores an argument that its search heeds/,
    },
    {
      name: 'finds nothing by an argument',
      exportQuery: (args) => ({ collection: COLLECTION, filter: isAsked(args, '_id') ? { id: 'x' } : {} }),
      says: /^Its exportQuery does not find by an argument/,
    },
    {
      name: 'gives a filter that takes too long',
      exportQuery: () => ({ collection: COLLECTION, filter: { $expr: SLOW } }),
      given: MANY,
      doctor: { stepTimeout: 300 },
      level: 'warning',
      says: /could not be seen in time/,
    },
    {
      name: 'gives a filter that a scan cannot have',
      exportQuery: () => ({ collection: COLLECTION, filter: { $and: [{ $text: { $search: 'secret' } }] } }),
      level: 'warning',
      says: /gives a filter with \$text, which no scan can have/,
    },
  ]
  for (const { name, exportQuery, given = FEW, kept = given, level = 'error', doctor = {}, says } of faults) {
    it(`finds that it ${name}`, async () => {
      if (kept.length > 0) await keep(kept)
      const diagnosis = await examine(given, exportQuery, { doctor })
      expect(troubles(diagnosis, 'reading')).to.deep.equal([`${level} collection Observation`])
      expect(said(diagnosis).join()).to.match(says)
      expect(diagnosis.isComplete).to.equal(true)
      expect(JSON.stringify(diagnosis)).to.not.include('secret')
    })
  }

  it('counts before the option collections, which is not looked at', async () => {
    await keep(FEW)
    const diagnosis = await examine(FEW, good, { options: { collections: () => 'no_such' } })
    expect(said(diagnosis)).to.deep.equal([])
  })

  it('says how the type is really read when no scan can have its filter, and what indexes that needs', async () => {
    await keep(FEW)
    const diagnosis = await examine(FEW, () => ({ collection: COLLECTION, filter: { $where: 'true' } }))
    expect(readingOf(diagnosis)).to.equal(
      'search: its exportQuery gives a filter with $where, which no scan can have',
    )
    const indexes = diagnosis.findings.filter(({ check }) => check === 'resource-indexes')
    const costs = new Map(indexes.map((finding) => [finding.what, 'cost' in finding ? finding.cost : '']))
    expect([...costs.keys()].sort()).to.deep.equal(
      ['id', 'meta.lastUpdated', 'performer.reference', 'subject.reference'].map(
        (field) => `No index begins with ${field}.`,
      ),
    )
    expect(costs.get('No index begins with subject.reference.')).to.match(/Each search by patient/)
  })

  it('finds that its collection is a view', async () => {
    await keep(FEW)
    await database.db.createCollection('view', { viewOn: COLLECTION, pipeline: [] })
    const diagnosis = await examine(FEW, (...call) => ({ ...(good(...call) as object), collection: 'view' }))
    expect(troubles(diagnosis, 'indexes').filter((each) => /resource/.test(each))).to.deep.equal([
      'error resource-indexes Observation',
    ])
  })

  it('takes what is written or deleted meanwhile for no fault', async () => {
    await keep(FEW)
    const collection = database.db.collection(COLLECTION)
    let searches = 0
    const model = modelProfile(FEW, {
      async search(args, query, answer) {
        searches += 1
        if (searches > 1) return answer(args, query)
        const page = await answer(args, query)
        await collection.deleteOne({ id: FEW[2]?.id })
        return page
      },
      ordered: (resources) => (searches > 1 ? resources.filter(({ id }) => id !== FEW[2]?.id) : resources),
    })
    open = await doctorHost(database, {
      Observation: { ...model, service: { ...(model.service as ProfileService), exportQuery: good } },
    })
    expect(troubles(await runDoctor(open.bulkExport), 'reading')).to.deep.equal([])
  })
})
