import { expect } from 'chai'
import { compartmentOf } from '../../../plugin/fhir/patient-compartment.js'
import { type BulkExportOptions, runDoctor } from '../../../plugin/index.js'
import { indexCommands } from '../../../scripts/doctor/report.js'
import { collectionName, createHostConfig, ensureIndexes } from '../../../scripts/host/index.js'
import { population } from '../../../scripts/population/index.js'
import { startHost, store } from '../../support/export-host.js'
import { useDatabase } from '../../support/mongodb.js'
import { type DoctorHost, doctorHost, troubles } from './doctor-host.js'
import { type ModelResource, modelProfile } from './model-service.js'

const meta = { lastUpdated: '2024-05-01T12:00:00.000Z' }
const OBSERVATION = { resourceType: 'Observation', id: 'o', meta, subject: { reference: 'Patient/p' } }
const MINUTE = 60_000

describe('the doctor on a database', () => {
  const database = useDatabase()
  let open: DoctorHost | undefined
  afterEach(async () => {
    await open?.close()
    open = undefined
  })
  const examine = async (profiles: object, options: Partial<BulkExportOptions> = {}) => {
    await open?.close()
    open = await doctorHost(database, profiles as never, options)
    return runDoctor(open.bulkExport)
  }
  const exampleProfiles = (offer: { readonly queries?: boolean; readonly streams?: boolean } = {}) =>
    createHostConfig({ db: database.db, ...offer }).profiles

  describe('of the example host', () => {
    for (const queries of [false, true]) {
      it(`finds no index missing that it makes, for any type, with ${queries ? 'exportQuery' : 'collections'}`, async function () {
        this.timeout(60_000)
        const types = compartmentOf('4_0_0').types
        for (const type of types) {
          await database.db.collection<{ _id: string }>(collectionName(type)).insertOne({ _id: 'x' })
        }
        await ensureIndexes(database.db)
        const { findings } = await examine(
          exampleProfiles({ queries }),
          queries ? {} : { collections: collectionName },
        )
        const seen = findings.filter(({ check }) => check === 'resource-indexes')
        const missing = seen.filter(({ level }) => level !== 'ok')
        // The documents have no id, so that one is missed in each; of Patients there is one for exports of groups.
        expect(missing.map(({ type, what }) => `${type}: ${what}`)).to.have.members(
          types.filter((type) => type !== 'Patient').map((type) => `${type}: No index begins with id.`),
        )
        expect(seen.map(({ type }) => type)).to.include('Patient')
      })
    }

    it('finds nothing wrong in a population, however it is read', async function () {
      this.timeout(120_000)
      await store(database, population({ patients: 12 }))
      await ensureIndexes(database.db)
      for (const [offer, options, readings] of [
        [{ queries: true }, {}, 'scan: its service has exportQuery'],
        [{ queries: true }, { collections: () => 'other' }, 'scan: its service has exportQuery'],
        [{}, { collections: collectionName }, 'scan: the option collections names its collection'],
        [
          { streams: true },
          {},
          'stream: its service has searchStream but no exportQuery and no collection is known',
        ],
        [{}, {}, 'search: its service has no exportQuery and no collection is known'],
      ] as const) {
        const diagnosis = await examine(exampleProfiles(offer), options)
        expect(troubles(diagnosis)).to.deep.equal(['notice own-indexes', 'warning workers'])
        const ways = new Set(diagnosis.readings.map(({ way, reason }) => `${way}: ${reason}`))
        expect([...ways]).to.deep.equal([readings])
      }
    })
  })

  it('neither disturbs an export nor is disturbed by one', async () => {
    const resources = [...population({ patients: 40 })]
    const host = await startHost(database, { resources, options: { collections: collectionName } })
    try {
      await ensureIndexes(database.db)
      const exported = host.client.kickOff('system').then((statusUrl) => host.manifest(statusUrl))
      const [{ output }, ...diagnoses] = await Promise.all([
        exported,
        runDoctor(host.bulkExport),
        runDoctor(host.bulkExport),
      ])
      expect(output.reduce((sum, { count = 0 }) => sum + count, 0)).to.equal(resources.length)
      for (const diagnosis of diagnoses) {
        // The options of test hosts are no good ones.
        const wrong = troubles(diagnosis).filter((each) => !each.endsWith(' options'))
        expect(wrong).to.deep.equal([])
      }
    } finally {
      await host.close()
    }
  })

  describe('without indexes', () => {
    let types: ReadonlySet<string>
    /** The key is the id of the resource: searches for one need no other index. */
    const wanted = (type: string, isSearched: boolean) =>
      new Set([
        ...(isSearched ? ['meta.lastUpdated'] : []),
        ...(type === 'Patient' ? ['id'] : []),
        ...compartmentOf('4_0_0')
          .paths(type)
          .map(({ path }) => `${path.join('.')}.reference`),
      ])
    beforeEach(async () => {
      types = await store(database, population({ patients: 12 }))
    })

    for (const queries of [false, true]) {
      it(`names each that is missing and what it costs, with ${queries ? 'exportQuery' : 'collections'}`, async () => {
        const options = queries ? {} : { collections: collectionName }
        const { findings } = await examine(exampleProfiles({ queries }), options)
        const missing = findings.filter(({ check, level }) => check === 'resource-indexes' && level !== 'ok')
        for (const type of types) {
          const own = missing.filter((finding) => finding.type === type)
          expect(own.map(({ what }) => what)).to.have.members(
            [...wanted(type, !queries)].map((field) => `No index begins with ${field}.`),
          )
          for (const finding of own) {
            const cost = /lastUpdated/.test(finding.what) ? /_typeFilter with _since/ : /however few/
            expect(finding).to.include({ level: 'warning' }).and.have.property('cost').that.matches(cost)
          }
        }
      })
    }

    it('prints commands that make all of them, so that none is missing any more', async () => {
      const options = { collections: collectionName }
      const text = indexCommands(await examine(exampleProfiles(), options), database.name)
      const [first, ...lines] = text.split('\n')
      expect(first).to.equal(`db = db.getSiblingDB(${JSON.stringify(database.name)})`)
      for (const line of lines) {
        const [, name = '', key = ''] =
          /^db\.getCollection\((".*")\)\.createIndex\((\{.*\})\)$/.exec(line) ?? []
        await database.db.collection(JSON.parse(name)).createIndex(JSON.parse(key))
      }
      expect(lines).to.include(
        'db.getCollection("Observation_4_0_0").createIndex({"subject.reference":1,"_id":1})',
      )
      const after = await examine(exampleProfiles(), options)
      expect(troubles(after, 'indexes')).to.deep.equal(['notice own-indexes'])
      expect(indexCommands(after, database.name)).to.equal('')
    })

    for (const [name, options] of [
      ['hidden', { hidden: true }],
      ['partial', { partialFilterExpression: { status: 'final' } }],
    ] as const) {
      it(`does not take one that is ${name} for one`, async () => {
        const collection = database.db.collection(collectionName('Observation'))
        await collection.createIndex({ 'subject.reference': 1 }, options)
        const { findings } = await examine(exampleProfiles(), { collections: collectionName })
        const missing = findings.filter(({ type, what }) => type === 'Observation' && /subject/.test(what))
        expect(missing).to.have.length(1)
      })
    }

    it('takes one that is sparse for one, as exports do: what it leaves out has no patient', async () => {
      const collection = database.db.collection(collectionName('Observation'))
      await collection.createIndex({ 'subject.reference': 1 }, { sparse: true })
      const { findings } = await examine(exampleProfiles(), { collections: collectionName })
      expect(
        findings.filter(({ type, what }) => type === 'Observation' && /subject/.test(what)),
      ).to.deep.equal([])
    })
  })

  describe('with a collection that is scanned', () => {
    const collections = (type: string) => `kept_${type}`
    const keep = (documents: readonly object[]) =>
      database.db.collection('kept_Observation').insertMany(documents.map((document) => ({ ...document })))
    const reading = async (given: readonly ModelResource[]) =>
      troubles(await examine({ Observation: modelProfile(given) }, { collections }), 'reading')

    it('finds nothing wrong when it has what the service gives', async () => {
      await keep([OBSERVATION])
      expect(await reading([OBSERVATION])).to.deep.equal([])
    })

    it('finds that it lacks what the service gives', async () => {
      await keep([{ ...OBSERVATION, id: 'other' }])
      expect(await reading([OBSERVATION])).to.deep.equal(['error collection Observation'])
    })

    it('finds that there is none, though the service gives something', async () => {
      expect(await reading([OBSERVATION])).to.deep.equal(['error collection Observation'])
    })

    it('finds that it has something else', async () => {
      await keep([OBSERVATION, { ...OBSERVATION, resourceType: 'Patient' }])
      expect(await reading([OBSERVATION])).to.deep.equal(['error collection Observation'])
    })

    it('finds that it has what the service keeps from the caller', async () => {
      await keep([OBSERVATION])
      expect(await reading([])).to.deep.equal(['warning collection Observation'])
    })

    it('finds that it has some more than the service gives the caller', async () => {
      await keep([OBSERVATION, { ...OBSERVATION, id: 'hidden' }])
      expect(await reading([OBSERVATION])).to.deep.equal(['warning collection Observation'])
    })
  })

  describe('with exports in it', () => {
    const profiles = { Patient: modelProfile([]), Group: modelProfile([]) }
    const ago = (ms: number) => new Date(Date.now() - ms)
    // Made when the test begins: the tests before it may take minutes.
    const cases: readonly [string, string, () => object, readonly string[]][] = [
      [
        'a job that has waited for long',
        'jobs',
        () => ({ status: 'accepted', transactionTime: ago(20 * MINUTE) }),
        ['warning'],
      ],
      ['a new job', 'jobs', () => ({ status: 'accepted', transactionTime: ago(1000) }), []],
      ['a job that has failed', 'jobs', () => ({ status: 'failed', endedAt: ago(1000) }), ['notice']],
      [
        'a job that should be gone',
        'jobs',
        () => ({ status: 'expired', endedAt: ago(48 * 60 * MINUTE) }),
        ['warning'],
      ],
      ['a job that has just expired', 'jobs', () => ({ status: 'expired', endedAt: ago(1000) }), []],
      [
        'a task that was left',
        'tasks',
        () => ({ status: 'running', leaseUntil: ago(5 * MINUTE), failures: 0 }),
        ['warning'],
      ],
      ['a task that runs', 'tasks', () => ({ status: 'running', leaseUntil: ago(-MINUTE), failures: 0 }), []],
      ['a task that is tried again', 'tasks', () => ({ status: 'waiting', failures: 2 }), ['notice']],
      ['a bell that was left', 'bells', () => ({ name: 'x', lockedAt: ago(20 * MINUTE) }), ['notice']],
      ['a bell that rings', 'bells', () => ({ name: 'x', lockedAt: null }), []],
      ['a worker that died', 'workers', () => ({ aliveAt: ago(5 * MINUTE) }), []],
    ]
    for (const [name, collection, document, levels] of cases) {
      it(`finds ${levels.join() || 'nothing'} for ${name}`, async () => {
        await database.db.collection(`bulkexport.${collection}`).insertOne(document())
        const work = troubles(await examine(profiles), 'work')
        const check = collection === 'bells' ? 'bells' : 'stuck-work'
        expect(work).to.deep.equal([...levels.map((level) => `${level} ${check}`), 'warning workers'])
      })
    }

    it('finds that an index of the plugin is gone', async () => {
      open = await doctorHost(database, profiles)
      await open.bulkExport.start()
      await database.db.collection('bulkexport.tasks').dropIndexes()
      await database.db.collection('bulkexport.bells').dropIndexes()
      const diagnosis = await runDoctor(open.bulkExport)
      expect(troubles(diagnosis)).to.deep.equal(Array(3).fill('warning own-indexes'))
      expect(indexCommands(diagnosis, 'x').split('\n')).to.have.length(4)
    })
  })
})
