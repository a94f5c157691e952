import { expect } from 'chai'
import fc from 'fast-check'
import { type DoctorOptions, type HostProfile, runDoctor } from '../../../plugin/index.js'
import { useSuiteDatabase } from '../../support/mongodb.js'
import { type DoctorHost, doctorHost, troubles } from './doctor-host.js'
import { FAULTS, isAsked, observations } from './faults.js'
import { GOOD, type ModelParts, type ModelResource, modelProfile } from './model-service.js'

const NEVER = new Promise<never>(() => undefined)

describe('the doctor on a service', () => {
  const database = useSuiteDatabase()
  let open: DoctorHost | undefined
  afterEach(async () => {
    await open?.close()
    open = undefined
  })
  const examine = async (profiles: Readonly<Record<string, HostProfile>>, options: DoctorOptions = {}) => {
    open = await doctorHost(database, profiles)
    return runDoctor(open.bulkExport, options)
  }

  for (const { name, bad = {}, resources = observations(30), found, says } of FAULTS) {
    it(`of ${name} finds ${found.join(', ') || 'nothing wrong'}`, async () => {
      const diagnosis = await examine({ Observation: modelProfile(resources, bad) })
      expect(troubles(diagnosis, 'reading')).to.deep.equal(found.map((each) => `${each} Observation`))
      const told = diagnosis.findings.filter(({ level, area }) => level !== 'ok' && area === 'reading')
      if (says) expect(told.map(({ what }) => what).join('\n')).to.match(says)
      for (const finding of told) expect(finding).to.include.keys('cost', 'remedy')
      expect(JSON.stringify(diagnosis)).to.not.include('secret')
    })
  }

  it('ends with one that hangs, and looks at the others', async () => {
    const diagnosis = await examine(
      {
        Observation: modelProfile(observations(30), { search: () => NEVER }),
        Patient: modelProfile([{ resourceType: 'Patient', id: 'secret-p', meta: {} }]),
      },
      { stepTimeout: 100 },
    )
    expect(troubles(diagnosis, 'reading')).to.deep.equal([
      'error answer Observation',
      'warning resources Patient',
    ])
    expect(diagnosis.isComplete).to.equal(true)
    expect(diagnosis.ms).to.be.below(10_000)
  })

  it('asks nothing more of one that hangs on one parameter', async () => {
    let after = 0
    const diagnosis = await examine(
      {
        Observation: modelProfile(observations(30), {
          search(args, query, answer) {
            if (after > 0 || isAsked(args, '_lastUpdated')) {
              after += 1
              return NEVER
            }
            return answer(args, query)
          },
        }),
      },
      { stepTimeout: 100 },
    )
    expect(troubles(diagnosis, 'reading')).to.deep.equal(['error last-updated Observation'])
    expect(after).to.equal(1)
  })

  it('says what was not looked at when the time is over', async () => {
    const hanging = modelProfile([], { search: () => NEVER })
    const diagnosis = await examine({ Observation: hanging, Patient: hanging }, { timeout: 150, atOnce: 1 })
    expect(troubles(diagnosis, 'reading')).to.deep.equal([
      'warning answer Observation',
      'warning answer Patient',
    ])
    expect(diagnosis.isComplete).to.equal(false)
    expect(diagnosis.findings.map(({ what }) => what).join()).to.match(/time was over/)
  })

  it('finds one whose order changes all the time', async () => {
    let turn = 0
    const diagnosis = await examine({
      Observation: modelProfile(observations(200), {
        ordered: (resources) => {
          turn += 37
          return resources.map(
            (_, index) => resources[(index * 7 + turn) % resources.length] as ModelResource,
          )
        },
      }),
    })
    expect(troubles(diagnosis, 'reading')).to.include('error stability Observation')
  })

  it('takes a resource that was deleted meanwhile for no fault', async () => {
    let searches = 0
    const diagnosis = await examine({
      Observation: modelProfile(observations(40), {
        ordered(resources) {
          searches += 1
          return searches > 4 ? resources.slice(1) : resources
        },
      }),
    })
    expect(troubles(diagnosis, 'reading')).to.deep.equal([])
  })

  it('takes resources that are written meanwhile for no fault', async () => {
    let searches = 0
    const later = observations(40, () => ({ meta: { lastUpdated: '2024-05-01T00:00:00Z' } }))
    const diagnosis = await examine({
      Observation: modelProfile(observations(40), {
        ordered(resources) {
          searches += 1
          return searches > 8 ? later : resources
        },
      }),
    })
    expect(troubles(diagnosis, 'reading')).to.deep.equal([])
  })

  it('calls services on behalf of the caller, as the core does', async () => {
    const users = new Set<unknown>()
    open = await doctorHost(database, {
      Observation: {
        versions: ['4_0_0'],
        service: {
          async search(args, { req }) {
            expect(args).to.have.property('base_version', '4_0_0')
            users.add((req as { user: unknown }).user)
            return []
          },
        },
      },
    })
    await runDoctor(open.bulkExport, { caller: { user: { sub: 'u' } } })
    expect([...users]).to.deep.equal([{ sub: 'u' }])
  })

  it('asks for few resources, a few times, however many there are', async () => {
    const counts: number[] = []
    let most = 0
    let now = 0
    const profile = modelProfile(observations(5000), {
      async search(args, query, answer) {
        counts.push(Number(query['_count']))
        now += 1
        most = Math.max(most, now)
        await new Promise(setImmediate)
        now -= 1
        return answer(args, query)
      },
    })
    const types = ['Observation', 'DiagnosticReport', 'Procedure', 'Condition']
    await examine(Object.fromEntries(types.map((type) => [type, profile])), { sample: 8, atOnce: 2 })
    expect(Math.max(...counts)).to.be.at.most(4)
    expect(counts.length / types.length).to.be.below(60)
    expect(most).to.be.at.most(2)
  })

  it('finds every fault of several, and no other', async function () {
    this.timeout(60_000)
    const independent: Readonly<Record<string, Partial<ModelParts>>> = {
      'warning paging': { page: (matching) => matching },
      'warning comma-lists': { values: (value) => [value] },
      'warning last-updated': {
        matches: (resource, name, value) => name === '_lastUpdated' || GOOD.matches(resource, name, value),
      },
    }
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(Object.keys(independent)),
        fc.integer({ min: 25, max: 80 }),
        async (faults, count) => {
          const bad = Object.assign({}, ...faults.map((fault) => independent[fault])) as Partial<ModelParts>
          const diagnosis = await examine({ Observation: modelProfile(observations(count), bad) })
          await open?.close()
          open = undefined
          const expected = faults.map((fault) => `${fault} Observation`).sort()
          expect(troubles(diagnosis, 'reading')).to.deep.equal(expected)
        },
      ),
      { numRuns: 20 },
    )
  })
})
