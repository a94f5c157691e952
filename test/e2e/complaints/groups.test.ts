import { expect } from 'chai'
import fc from 'fast-check'
import type { Db } from 'mongodb'
import type { HostProfile } from '../../../plugin/index.js'
import { createHostConfig } from '../../../scripts/host/index.js'
import { compartmentsOf } from '../../support/compartment.js'
import { startHost, store, type TestHost, type TestResource, useHost } from '../../support/export-host.js'
import { issuesOf, linesOf, put } from '../../support/manifest-files.js'
import { useDatabase, useSuiteDatabase } from '../../support/mongodb.js'
import { ask, expectRefusal } from '../../support/protected-host.js'
import { exportOf, nameOf, type Pair, send } from '../../support/provenance.js'

// What users of other servers have complained about. Each test is named after the thread in their tracker.

const OLD = { lastUpdated: '2020-01-01T00:00:00Z' }
const NEW = { lastUpdated: '2024-06-01T00:00:00Z' }
const SINCE: Pair = ['_since', '2022-01-01T00:00:00Z']

const patient = (id: string, more: object = {}): TestResource => ({ resourceType: 'Patient', id, ...more })
const observation = (id: string, of: string, more: object = {}): TestResource => {
  return { resourceType: 'Observation', id, subject: { reference: `Patient/${of}` }, ...more }
}
const entity = (reference: string, more: object = {}) => ({ entity: { reference }, ...more })
const groupOf = (id: string, member: readonly object[] | undefined, more: object = {}): TestResource => {
  return { resourceType: 'Group', id, type: 'person', actual: true, ...(member ? { member } : {}), ...more }
}
const fileNames = (names: readonly string[], type: string) =>
  names.filter((name) => name.startsWith(`${type}/`))

/** The example host's service, but for all parameters other than those of pages: it gives whatever there is. */
function careless(db: Db, type: string): HostProfile {
  const original = createHostConfig({ db }).profiles[type] as HostProfile
  const service = original.service as { search(args: object, context: object): Promise<object> }
  const search = async (_args: object, { req }: { readonly req: { readonly query: object } }) => {
    const pages = Object.entries(req.query).filter(([name]) => name === '_count' || name === '_cursor')
    return service.search({}, { req: { ...req, query: Object.fromEntries(pages) } })
  }
  return { ...original, service: { search } }
}

describe('complaints about groups that are empty', () => {
  const nobody: Readonly<Record<string, readonly object[] | undefined>> = {
    'no list of members': undefined,
    'an empty list of members': [],
    'inactive members only': [entity('Patient/p1', { inactive: true })],
    'members of another time only': [
      entity('Patient/p1', { period: { end: '2001-01-01' } }),
      entity('Patient/p2', { period: { start: '2999' } }),
    ],
    'members that are no patients': [entity('Practitioner/p1'), entity('Device/p2')],
    'members of another server': [entity('https://other.example.org/4_0_0/Patient/p1')],
    'members without a reference': [{ entity: { display: 'p1' } }, { entity: {} }, {}],
    'an empty group as its member': [entity('Group/no-list-of-members')],
    'only itself as its member': [entity('Group/only-itself-as-its-member')],
  }
  const idOf = (what: string) => what.replaceAll(' ', '-')
  const resources = [
    ...[patient('p1'), patient('p2'), observation('o1', 'p1'), observation('o2', 'p2')],
    ...Object.entries(nobody).map(([what, members]) => groupOf(idOf(what), members)),
    ...[groupOf('of-one', [entity('Patient/p1')]), groupOf('of-one-gone', [entity('Patient/gone')])],
  ]
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    host = await startHost(database, { resources, types: ['Practitioner'] })
  })
  after('close the host', () => host?.close())
  const narrowed: readonly (readonly Pair[])[] = [
    ...[[], [SINCE], [['_type', 'Patient,Observation'] as const]],
    [['_typeFilter', 'Patient?_id=p1,p2'], SINCE],
  ]

  for (const what of Object.keys(nobody)) {
    it(`microsoft/fhir-server#1634: a group without members exports nothing, never everyone: ${what} [GR-10 EE-01]`, async () => {
      const path = `Group/${idOf(what)}/$export`
      const all = await Promise.all(narrowed.map((pairs) => exportOf(host, path, { pairs })))
      for (const { manifest } of all) {
        expect([manifest.output, manifest.deleted, manifest.error]).to.deep.equal([[], [], []])
      }
    })
  }

  it('microsoft/fhir-server#1634: a group whose only patient is gone exports nothing of others', async () => {
    const { names } = await exportOf(host, 'Group/of-one-gone/$export')
    expect(names).to.deep.equal(['Group/of-one-gone'])
  })

  it('microsoft/fhir-server#1634: of patients who are not in the group none is left, never everyone', async () => {
    const Prefer = 'respond-async, handling=lenient'
    const sent = { way: 'POST', pairs: [['patient', 'Patient/p2']], headers: { Prefer } } as const
    expect((await exportOf(host, 'Group/of-one/$export', sent)).names).to.deep.equal([])
  })
})

describe('complaints about groups of any shape', () => {
  const PATIENTS = ['p0', 'p1', 'p10', 'p2', 'p3']
  const GROUPS = ['g0', 'g1', 'g2', 'g3']
  const TYPES = ['Patient', 'Group', 'Observation', 'Coverage', 'Practitioner']
  const SEED = 20_260_102
  const RUNS = 10
  const database = useSuiteDatabase()
  let host: TestHost
  after('close the host', () => host?.close())

  const members = fc.array(
    fc.record({
      name: fc.constantFrom(...PATIENTS.map((id) => `Patient/${id}`), ...GROUPS.map((id) => `Group/${id}`)),
      inactive: fc.option(fc.constant(true), { nil: undefined, freq: 4 }),
    }),
    { maxLength: 5 },
  )
  const someone = fc.option(fc.constantFrom(...PATIENTS), { nil: undefined, freq: 5 })
  const population = fc.record({
    groups: fc.tuple(members, members, members, members),
    observations: fc.array(fc.tuple(someone, fc.subarray(PATIENTS)), { maxLength: 9 }),
    coverages: fc.array(fc.tuple(someone, someone, fc.subarray(PATIENTS)), { maxLength: 5 }),
  })
  type Population = typeof population extends fc.Arbitrary<infer Value> ? Value : never
  const to = (id: string) => ({ reference: `Patient/${id}` })
  const resourcesOf = ({ groups, observations, coverages }: Population): readonly TestResource[] => [
    ...PATIENTS.map((id) => patient(id)),
    { resourceType: 'Practitioner', id: 'p0' },
    ...groups.map((list, index) =>
      groupOf(
        `g${index}`,
        list.map(({ name, inactive }) => entity(name, inactive ? { inactive } : {})),
      ),
    ),
    ...observations.map(([subject, performer], index) => ({
      ...{ resourceType: 'Observation', id: `o${index}` },
      ...(subject === undefined ? {} : { subject: to(subject) }),
      ...(performer.length === 0 ? {} : { performer: performer.map(to) }),
    })),
    ...coverages.map(([beneficiary, subscriber, payor], index) => ({
      ...{ resourceType: 'Coverage', id: `c${index}` },
      ...(beneficiary === undefined ? {} : { beneficiary: to(beneficiary) }),
      ...(subscriber === undefined ? {} : { subscriber: to(subscriber) }),
      ...(payor.length === 0 ? {} : { payor: payor.map(to) }),
    })),
  ]
  /** The patients that a group has, by itself and by the groups in it. */
  function membersOf({ groups }: Population, group: number, met = new Set<number>()): ReadonlySet<string> {
    if (met.has(group)) return new Set()
    met.add(group)
    return new Set(
      (groups[group] ?? [])
        .filter(({ inactive }) => inactive !== true)
        .flatMap(({ name }) => {
          const [type, id = ''] = name.split('/')
          return type === 'Patient' ? [id] : [...membersOf({ groups } as Population, Number(id[1]), met)]
        }),
    )
  }
  /** Each group of each population, with all that was exported of it. */
  const exports: {
    readonly name: string
    readonly found: readonly TestResource[]
    readonly resources: readonly TestResource[]
    readonly members: ReadonlySet<string>
  }[] = []
  before('export each group of random populations', async function () {
    this.timeout(120_000)
    const options = { pageSize: 2, maxFileResources: 2, workers: 6, minPollInterval: 0 }
    const profiles = { Observation: careless(database.db, 'Observation') }
    host = await startHost(database, { types: TYPES, profiles, options })
    for (const one of fc.sample(population, { seed: SEED, numRuns: RUNS })) {
      for (const type of TYPES) await database.db.collection(`${type}_4_0_0`).deleteMany({})
      const resources = resourcesOf(one)
      await store(database, resources)
      await Promise.all(
        GROUPS.map(async (id, group) => {
          const manifest = await host.manifest(await host.client.kickOff({ group: id }))
          for (const { count } of manifest.output) expect(count).to.be.within(1, 2)
          const found = [...(await host.resources(manifest)).values()].flat()
          const name = `${id} of ${JSON.stringify(one)}`
          exports.push({ name, found, resources, members: membersOf(one, group) })
        }),
      )
    }
  })

  it(`hapifhir/hapi-fhir#3700, hapifhir/hapi-fhir#3394: never anybody who is not a member, nor anything of theirs alone: ${RUNS} random populations`, () => {
    expect(exports).to.have.length(RUNS * GROUPS.length)
    for (const { name, found, members } of exports) {
      for (const resource of found) {
        const isMembers = [...compartmentsOf(resource)].some((id) => members.has(id))
        expect(isMembers, `${nameOf(resource)}, ${name}`).to.equal(true)
      }
      const patients = found.filter(({ resourceType }) => resourceType === 'Patient').map(({ id }) => id)
      expect([...members], name).to.include.members(patients)
    }
  })

  it(`microsoft/fhir-server#2954, LinuxForHealth/FHIR#2058: nothing twice and nothing lost, in however many compartments, on whatever edge of a page: ${RUNS} random populations [GR-01]`, () => {
    expect(exports).to.have.length(RUNS * GROUPS.length)
    for (const { name, found, resources, members } of exports) {
      const isMeant = (each: TestResource) => [...compartmentsOf(each)].some((id) => members.has(id))
      const wanted = resources.filter(isMeant)
      expect(found.map(nameOf).sort(), name).to.deep.equal(wanted.map(nameOf).sort())
      expect(found, name).to.have.deep.members(wanted)
    }
  })
})

describe('complaints about groups and time', () => {
  const test = useHost(useDatabase(), () => ({
    types: ['Practitioner'],
    resources: [
      ...[
        patient('p1', { meta: OLD }),
        patient('p2', { meta: OLD }),
        observation('old', 'p1', { meta: OLD }),
      ],
      ...[observation('new', 'p1', { meta: NEW }), observation('theirs', 'p2', { meta: NEW })],
      groupOf('g', [entity('Patient/p1')], { meta: OLD }),
    ],
  }))

  for (const way of ['GET', 'POST'] as const) {
    it(`hapifhir/hapi-fhir#4387: _since never loses what is new of a patient that is not, by ${way} [QP-20]`, async () => {
      const { names } = await exportOf(test.host, 'Group/g/$export', { way, pairs: [SINCE] })
      expect(names).to.deep.equal(['Observation/new'])
      const all = await exportOf(test.host, 'Group/g/$export', { way })
      expect(all.names).to.deep.equal(['Group/g', 'Observation/new', 'Observation/old', 'Patient/p1'])
    })
  }

  it('HL7/bulk-data#65, LinuxForHealth/FHIR#993: whoever joins a group is never exported by halves by those who follow the documented way', async () => {
    const { host } = test
    const path = 'Group/g/$export'
    const memberIds = async () => {
      const pairs: readonly Pair[] = [
        ['_type', 'Patient'],
        ['_elements', 'id'],
      ]
      const { manifest } = await exportOf(host, path, { pairs })
      const patients = await linesOf(manifest.output)
      for (const each of patients) expect(each).to.have.all.keys('resourceType', 'id', 'meta')
      return patients.map(({ id }) => String(id))
    }
    const first = await exportOf(host, path)
    const before = await memberIds()
    await put(host, observation('later', 'p1'))
    await put(host, groupOf('g', [entity('Patient/p1'), entity('Patient/p2')]))

    const since: Pair = ['_since', first.manifest.transactionTime]
    const changed = ['Group/g', 'Observation/later']
    expect((await exportOf(host, path, { pairs: [since] })).names, '_since alone').to.deep.equal(changed)

    const joined = (await memberIds()).filter((id) => !before.includes(id))
    expect(joined).to.deep.equal(['p2'])
    const pairs = joined.map((id): Pair => ['patient', `Patient/${id}`])
    const theirs = await exportOf(host, path, { way: 'POST', pairs })
    expect(theirs.names).to.deep.equal(['Group/g', 'Observation/theirs', 'Patient/p2'])
    const next = await exportOf(host, path, { pairs: [since] })
    expect(next.names).to.deep.equal(changed)
    const whole = await exportOf(host, path)
    expect(new Set([...first.names, ...theirs.names, ...next.names])).to.deep.equal(new Set(whole.names))
  })

  it('HL7/bulk-data#65: whoever leaves a group is not exported any more, and never told as deleted', async () => {
    const { host } = test
    const { manifest } = await exportOf(host, 'Group/g/$export')
    await put(host, groupOf('g', [entity('Patient/p2')]))
    const since: Pair = ['_since', manifest.transactionTime]
    for (const pairs of [[], [since]]) {
      const left = await exportOf(host, 'Group/g/$export', { pairs })
      expect(left.names).not.to.include.members(['Patient/p1'])
      expect(fileNames(left.names, 'Observation')).to.deep.equal(
        pairs.length === 0 ? ['Observation/theirs'] : [],
      )
      expect(left.manifest.deleted).to.deep.equal([])
    }
  })

  it('LinuxForHealth/FHIR#653, microsoft/fhir-server#1203: groups in a group are never passed over, members that do not count never taken [GR-03]', async () => {
    const { host } = test
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'h']) await put(host, patient(id))
    await put(
      host,
      groupOf('outer', [
        ...[entity('Patient/a'), entity('Group/inner'), entity('Patient/d', { inactive: true })],
        ...[entity('Patient/e', { period: { end: '2019-12-31' } }), entity('Group/off', { inactive: true })],
        entity('Patient/h', { period: { start: '2999-01-01T00:00:00Z' } }),
      ]),
    )
    const now = { start: '2019', end: '2999-01' }
    const inner = [entity('Patient/b', { period: now }), entity('Group/innermost'), entity('Group/outer')]
    await put(host, groupOf('inner', inner))
    await put(host, groupOf('innermost', [entity('Patient/c', { inactive: false }), entity('Group/inner')]))
    await put(host, groupOf('off', [entity('Patient/f')]))
    const { names } = await exportOf(host, 'Group/outer/$export', { pairs: [['_type', 'Patient']] })
    expect(names).to.deep.equal(['Patient/a', 'Patient/b', 'Patient/c'])
  })
})

describe('complaints about what a group export has and has not', () => {
  const database = useDatabase()
  const others = ['Location', 'Organization', 'Practitioner'].map((resourceType) => {
    return { resourceType, id: 'x' }
  })
  const encounter = {
    ...{ resourceType: 'Encounter', id: 'e', subject: { reference: 'Patient/p1' } },
    participant: [{ individual: { reference: 'Practitioner/x' } }],
    location: [{ location: { reference: 'Location/x' } }],
    serviceProvider: { reference: 'Organization/x' },
  }
  const alone = groupOf('alone', [entity('Patient/p2')])
  const resources = [
    ...[patient('p1'), patient('p2'), encounter, ...others],
    ...[groupOf('g', [entity('Patient/p1')]), alone],
  ]
  const test = useHost(database, () => ({ resources }))

  it('hapifhir/hapi-fhir#6443, LinuxForHealth/FHIR#2114: the patient itself is never missing from its group, and what is in no compartment is never there by chance [KO-14]', async () => {
    const { host } = test
    const { names } = await exportOf(host, 'Group/g/$export')
    expect(names).to.deep.equal(['Encounter/e', 'Group/g', 'Patient/p1'])
    const nothingElse = await exportOf(host, 'Group/alone/$export')
    expect(nothingElse.names).to.deep.equal(['Group/alone', 'Patient/p2'])
    const system = await exportOf(host, '$export')
    expect(system.names).to.include.members(others.map(nameOf))
  })

  it('hapifhir/hapi-fhir#6594, LinuxForHealth/FHIR#1111: types that a group cannot have are never left out in silence', async () => {
    const { host } = test
    const pairs: readonly Pair[] = [['_type', 'Patient,Practitioner,Location']]
    const { manifest, names } = await exportOf(host, 'Group/g/$export', { pairs })
    expect(names).to.deep.equal(['Patient/p1'])
    const told = (await issuesOf(manifest)).map(({ diagnostics }) => diagnostics).join('\n')
    for (const type of ['Practitioner', 'Location']) expect(told).to.match(new RegExp(`\\b${type}\\b`))
    const only = await ask(`${host.base}/Group/g/$export?_type=Practitioner`)
    expect(expectRefusal(only, 400, 'value')).to.be.a('string')
  })

  it('hapifhir/hapi-fhir#4886, HeliosSoftware/hfs#1010: a group that is not there is 404 at the kick-off, never a failure, and never stored [GR-04]', async () => {
    const { host } = test
    await put(host, groupOf('late', [entity('Patient/p1')]))
    expect((await fetch(`${host.base}/Group/late`, { method: 'DELETE' })).status).to.equal(204)
    for (const id of ['nowhere', 'late', 'p1', 'G', '%24', 'x'.repeat(65), '_history']) {
      for (const way of ['GET', 'POST'] as const) {
        const response = await send(host, `Group/${id}/$export`, { way })
        const answer = { status: response.status, headers: response.headers, text: await response.text() }
        expectRefusal(answer, 404, 'not-found', id)
      }
    }
    expect(await database.db.collection('bulkexport.jobs').countDocuments()).to.equal(0)
  })
})

describe('complaints about small groups in large databases', () => {
  const TYPES = ['Patient', 'Observation', 'Group'] as const
  const database = useDatabase()
  let searches: string[]
  let handedOut: number
  /** The example host's service, and what it is asked for. */
  function counted(type: string): HostProfile {
    const original = createHostConfig({ db: database.db }).profiles[type] as HostProfile
    const service = original.service as {
      search(args: object, context: object): Promise<{ entry?: unknown[] }>
    }
    const search = async (args: object, context: object) => {
      searches.push(type)
      const answer = await service.search(args, context)
      handedOut += answer.entry?.length ?? 0
      return answer
    }
    return { ...original, service: { search } }
  }
  const test = useHost(database, () => ({
    profiles: Object.fromEntries(TYPES.map((type) => [type, counted(type)])),
    resources: [patient('p'), observation('o', 'p'), groupOf('g', [entity('Patient/p')])],
    options: { pageSize: 10 },
  }))

  it('awslabs/fhir-works-on-aws-deployment#439: a group of one patient never takes longer because of all the others', async () => {
    const cost = async () => {
      ;[searches, handedOut] = [[], 0]
      const { names } = await exportOf(test.host, 'Group/g/$export')
      expect(names).to.deep.equal(['Group/g', 'Observation/o', 'Patient/p'])
      return { searches: [...searches].sort(), handedOut }
    }
    const small = await cost()
    expect(small.handedOut).to.be.at.most(10)
    const many = Array.from({ length: 2000 }, (_, index) => `q${index}`)
    await store(
      database,
      many.flatMap((id) => [patient(id), observation(`o-${id}`, id)]),
    )
    await store(database, [
      groupOf(
        'large',
        many.map((id) => entity(`Patient/${id}`)),
      ),
    ])
    expect(await cost()).to.deep.equal(small)
  })
})
