import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import fc from 'fast-check'
import type { HostProfile } from '../../plugin/index.js'
import { createHostConfig } from '../../scripts/host/index.js'
import { startHost, store, type TestHost, type TestResource } from '../support/export-host.js'
import { useDatabase, useSuiteDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'
import { type Asked, expected, exportOf, FUTURE, LATEST, nameOf, RELEVANT } from '../support/provenance.js'

const TYPES = ['Patient', 'Group', 'Observation', 'Practitioner', 'Provenance']
const LEVELS = [
  ['system', '$export'],
  ['patient', 'Patient/$export'],
  ['group', 'Group/g/$export'],
] as const
const MODES = [
  [undefined, []],
  ['latest', [['includeAssociatedData', LATEST]]],
  ['relevant', [['includeAssociatedData', RELEVANT]]],
] as const
const CASES = LEVELS.flatMap(([level, path]) =>
  MODES.map(([which, pairs]) => ({ level, path, pairs, ...(which === undefined ? {} : { which }) })),
)

const reference = (name: string) => ({ reference: name })

function groupOf(members: readonly string[]): TestResource {
  const member = members.map((id) => ({ entity: reference(`Patient/${id}`) }))
  return {
    ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
    ...(member.length === 0 ? {} : { member }),
  }
}

describe('Provenance of any shape', () => {
  const PATIENTS = ['p0', 'p1', 'p2', 'p3']
  const SEED = 20_260_101
  const RUNS = 30
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    const options = { pageSize: 3, maxFileResources: 2, workers: 9, minPollInterval: 0 }
    host = await startHost(database, { types: TYPES, options })
  })
  after('close the host', () => host?.close())

  const lastUpdated = fc.constantFrom('2020-01-01T00:00:00Z', '2023-06-01T00:00:00Z')
  const someone = fc.option(fc.constantFrom(...PATIENTS), { nil: undefined, freq: 4 })
  const observation = fc.record({ subject: someone, performer: someone, lastUpdated })
  const target = fc.record({
    name: fc.constantFrom(
      ...PATIENTS.map((id) => `Patient/${id}`),
      ...[0, 1, 2, 3, 4, 5].map((number) => `Observation/o${number}`),
      ...['Group/g', 'Practitioner/d', 'Practitioner/nobody'],
    ),
    form: fc.constantFrom('plain', 'plain', 'plain', 'absolute', 'other server', 'contained'),
  })
  const graph = fc.record({
    members: fc.subarray(PATIENTS),
    observations: fc.array(observation, { maxLength: 6 }),
    provenance: fc.array(
      fc.record({
        targets: fc.array(target, { minLength: 1, maxLength: 5 }),
        zone: fc.constantFrom('Z', '+05:00', '-08:00'),
        lastUpdated: fc.oneof({ weight: 5, arbitrary: lastUpdated }, fc.constant(FUTURE)),
      }),
      { maxLength: 12 },
    ),
    // When each of them was recorded: hours apart in any order, so that there is one newest.
    hours: fc.shuffledSubarray(
      Array.from({ length: 12 }, (_, hour) => hour),
      { minLength: 12 },
    ),
    since: fc.option(fc.constant('2022-01-01T00:00:00Z'), { nil: undefined }),
    types: fc.option(fc.subarray(TYPES, { minLength: 1 }), { nil: undefined }),
  })
  type Graph = typeof graph extends fc.Arbitrary<infer Value> ? Value : never

  function resourcesOf({ members, observations, provenance, hours }: Graph): readonly TestResource[] {
    const meta = { lastUpdated: '2021-01-01T00:00:00Z' }
    const written = (name: string, form: string) => {
      if (form === 'absolute') return `${host.base}/${name}`
      if (form === 'other server') return `https://other.example.org/4_0_0/${name}`
      return form === 'contained' ? `#${name.split('/')[1]}` : name
    }
    return [
      ...PATIENTS.map((id) => ({ resourceType: 'Patient', id, meta })),
      ...[
        { ...groupOf(members), meta },
        { resourceType: 'Practitioner', id: 'd', meta },
      ],
      ...observations.map(({ subject, performer, lastUpdated }, index) => ({
        ...{ resourceType: 'Observation', id: `o${index}`, meta: { lastUpdated } },
        ...(subject === undefined ? {} : { subject: reference(`Patient/${subject}`) }),
        ...(performer === undefined ? {} : { performer: [reference(`Patient/${performer}`)] }),
      })),
      ...provenance.map(({ targets, zone, lastUpdated }, index) => ({
        ...{ resourceType: 'Provenance', id: `v${index}`, meta: { lastUpdated } },
        recorded: `2019-01-01T${String(hours[index]).padStart(2, '0')}:30:00${zone}`,
        target: targets.map(({ name, form }) => reference(written(name, form))),
      })),
    ]
  }

  it(`is exported as it should be at all levels, however it is asked for: ${RUNS} random graphs [QP-70 QP-73]`, async function () {
    this.timeout(180_000)
    const check = async (one: Graph) => {
      for (const type of TYPES) await database.db.collection(`${type}_4_0_0`).deleteMany({})
      const resources = resourcesOf(one)
      await store(database, resources)
      const { members, since, types } = one
      const narrowed = {
        ...(since === undefined ? {} : { since }),
        ...(types === undefined ? {} : { types }),
      }
      const also = [
        ...(since === undefined ? [] : [['_since', since] as const]),
        ...(types === undefined ? [] : [['_type', types.join()] as const]),
      ]
      const isPossible = types === undefined || types.some((type) => type !== 'Practitioner')
      const cases = CASES.filter(({ level }) => level === 'system' || isPossible)
      const found = await Promise.all(
        cases.map(
          async ({ path, pairs }) => (await exportOf(host, path, { pairs: [...also, ...pairs] })).names,
        ),
      )
      for (const [index, { path, level, which }] of cases.entries()) {
        const asked: Asked = { level, members, ...narrowed, ...(which === undefined ? {} : { which }) }
        const wanted = expected(resources, host.base, asked)
        expect(found[index], `${path} ${which}`).to.deep.equal(wanted)
      }
    }
    await fc.assert(fc.asyncProperty(graph, check), { seed: SEED, numRuns: RUNS, endOnFailure: true })
  })
})

interface TaskDocument {
  readonly type?: string
  readonly status: string
  readonly files: readonly { readonly name: string }[]
}

describe('a worker that stops in the middle of Provenance', () => {
  const PATIENTS = ['p0', 'p1', 'p2', 'p3']
  const database = useDatabase()
  const hosts: TestHost[] = []
  let folder: string
  let held: Gate
  let later: Gate
  beforeEach('make a folder', async () => {
    held = new Gate()
    later = new Gate()
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  })
  afterEach('close the hosts', async () => {
    held.open()
    later.open()
    await Promise.all(hosts.splice(0).map((host) => host.close()))
    await rm(folder, { recursive: true, force: true })
  })

  const RECORDS: readonly TestResource[] = [
    groupOf(PATIENTS),
    ...PATIENTS.map((id) => ({ resourceType: 'Patient', id })),
    ...PATIENTS.map((id) => ({
      ...{ resourceType: 'Observation', id: `o-${id}`, subject: reference(`Patient/${id}`) },
    })),
    ...PATIENTS.flatMap((id, index) =>
      [1, 2, 3].map((day) => ({
        ...{ resourceType: 'Provenance', id: `${id}-${day}`, recorded: `2024-01-0${day}T0${index}:00:00Z` },
        // Each third is shared with the next patient, so that it is met again after the hand-over.
        target: [
          ...[reference(`Patient/${id}`), reference(`Observation/o-${id}`)],
          ...(day === 3 ? [reference(`Patient/${PATIENTS[(index + 1) % 4]}`)] : []),
        ],
      })),
    ),
  ]

  /** The example host's Provenance; `before` each search may wait. */
  function profile(before: () => Promise<void>): HostProfile {
    const original = createHostConfig({ db: database.db }).profiles['Provenance'] as HostProfile
    const service = original.service as {
      search(args: object, context: object): Promise<unknown>
    }
    const search = async (args: object, context: object) => {
      await before()
      return service.search(args, context)
    }
    return { ...original, service: { search } }
  }

  async function open(before: () => Promise<void>): Promise<TestHost> {
    const options = { storage: pathToFileURL(folder).href, workers: 1, pageSize: 2, maxFileResources: 2 }
    const host = await startHost(database, {
      ...{ types: TYPES, profiles: { Provenance: profile(before) } },
      options: { ...options, minPollInterval: 0 },
    })
    hosts.push(host)
    return host
  }

  const tasks = () => database.db.collection<TaskDocument>('bulkexport.tasks')

  /** Lets a host export until the first files of Provenance are written, and stops it; gives what it has done. */
  async function begin(url: string, comesBack: boolean) {
    let searches = 0
    const host = await open(async () => {
      const isPartDone = { type: 'Provenance', 'files.0': { $exists: true } }
      if ((await tasks().findOne(isPartDone)) === null) return
      searches += 1
      await (searches === 1 ? held : later).pass()
    })
    const response = await fetch(`${host.base}/${url}`)
    expect(response.status, await response.text()).to.equal(202)
    await held.reached
    const stopped = host.bulkExport.stop()
    if (comesBack) held.open()
    await stopped
    const [task] = await tasks().find({ type: 'Provenance' }).toArray()
    expect(task).to.have.property('status', 'waiting')
    const kept = (task as TaskDocument).files.map(({ name }) => name)
    expect(kept).not.to.deep.equal([])
    const path = String(response.headers.get('content-location')).slice(host.base.length)
    return { base: host.base, kept, path }
  }

  /** Has another host bring the export to its end. */
  async function finish(path: string) {
    const host = await open(async () => undefined)
    const manifest = await host.manifest(host.base + path)
    const names = [...(await host.resources(manifest)).values()].flat().map(nameOf)
    return { names: names.sort(), listed: manifest.output.map(({ url }) => url.split('/').at(-1)).sort() }
  }

  for (const { level, path, pairs, which } of CASES) {
    for (const comesBack of [true, false]) {
      it(`loses and repeats nothing: ${path}, ${which ?? 'no includeAssociatedData'}, a search that ${comesBack ? 'still' : 'never'} answers`, async () => {
        await store(database, RECORDS)
        const query = new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))
        const begun = await begin(`${path}?${query}`, comesBack)
        const { names, listed } = await finish(begun.path)
        const asked = { level, members: PATIENTS, ...(which === undefined ? {} : { which }) }
        expect(names).to.deep.equal(expected(RECORDS, begun.base, asked))
        expect(listed).to.include.members(begun.kept)
        const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ndjson'))
        expect(files.map((name) => name.split('/').at(-1)).sort()).to.deep.equal(listed)
      })
    }
  }

  const changed = {
    'is deleted': (name: string) => {
      return database.db.collection<{ _id: string }>('Provenance_4_0_0').deleteOne({ _id: name })
    },
    'is updated': (name: string) => {
      const update = { $set: { meta: { lastUpdated: FUTURE } } }
      return database.db.collection<{ _id: string }>('Provenance_4_0_0').updateOne({ _id: name }, update)
    },
  }
  for (const [what, change] of Object.entries(changed)) {
    for (const value of [LATEST, RELEVANT]) {
      it(`loses and repeats nothing when what it has written ${what} before another goes on: ${value}`, async () => {
        const provenance = (id: string, day: number, ...targets: readonly string[]) => ({
          ...{ resourceType: 'Provenance', id, recorded: `2024-01-0${day}T00:00:00Z` },
          target: targets.map((name) => reference(`Observation/${name}`)),
        })
        const latest = value === LATEST
        await store(database, [
          ...['o1', 'o2', 'o3', 'o4'].map((id) => ({ resourceType: 'Observation', id })),
          provenance('first', 9, 'o1'),
          // Of the third the newest; of the first only once the other is gone.
          provenance('shared', 8, 'o3', ...(latest ? ['o1'] : [])),
          provenance('second', 7, 'o2'),
          provenance('last', 6, 'o4'),
        ])
        const { path } = await begin(`$export?_type=Observation&includeAssociatedData=${value}`, true)
        await change('first')
        const { names } = await finish(path)
        // What is gone may be in the files or not.
        expect(names.filter((name) => name !== 'Provenance/first')).to.deep.equal([
          ...['o1', 'o2', 'o3', 'o4'].map((id) => `Observation/${id}`),
          ...['last', 'second', 'shared'].map((id) => `Provenance/${id}`),
        ])
      })
    }
  }
})
