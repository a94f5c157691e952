import { expect } from 'chai'
import type { Manifest } from '../../plugin/index.js'
import { collectionName } from '../../scripts/host/index.js'
import { compartmentsOf } from '../support/compartment.js'
import { type TestHost, type TestHostOptions, type TestResource, useHost } from '../support/export-host.js'
import { deletedNames, linesOf, put, remove } from '../support/manifest-files.js'
import { useDatabase } from '../support/mongodb.js'
import { nameOf } from '../support/provenance.js'

const ROUNDS = 8
const TYPES = ['Condition', 'Group', 'Observation', 'Organization', 'Patient']
const PATIENTS = ['a', 'b', 'c', 'd', 'e']
const MEMBERS = ['a', 'b', 'c']
const STRANGERS = PATIENTS.filter((patient) => !MEMBERS.includes(patient))
const GROUP: TestResource = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
  member: MEMBERS.map((patient) => ({ entity: { reference: `Patient/${patient}` } })),
}
const ids = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const NAMES = [
  ...PATIENTS.map((id) => `Patient/${id}`),
  ...ids('Observation/m', 8),
  ...ids('Observation/s', 4),
  ...ids('Condition/m', 5),
  ...ids('Condition/s', 3),
  ...ids('Organization/o', 4),
]

type Random = () => number

/** Numbers from 0 to 1 that are the same for the same seed. */
function randomFrom(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function oneOf<Item>(items: readonly Item[], random: Random): Item {
  return items[Math.floor(random() * items.length)] as Item
}

/**
 * A version of a resource. Those with an `m` are always in the compartment of a member, those with an `s` of
 * strangers: what merely leaves a compartment no export of the group can tell.
 */
function version(name: string, random: Random): TestResource {
  const [resourceType, id] = name.split('/') as [string, string]
  const content = { resourceType, id, language: `x-${Math.floor(random() * 1e9)}` }
  if (resourceType === 'Patient' || resourceType === 'Organization') return content
  const pool = id.startsWith('m') ? MEMBERS : STRANGERS
  const references = [
    oneOf(pool, random),
    oneOf(
      PATIENTS.filter((each) => pool === MEMBERS || pool.includes(each)),
      random,
    ),
  ]
  const [subject, other] = references.map((patient) => ({ reference: `Patient/${patient}` }))
  return resourceType === 'Observation'
    ? { ...content, subject, performer: [other] }
    : { ...content, subject, asserter: other }
}

/** Random writes to random resources, one after the other for each, at the same time for all. */
async function change(host: TestHost, random: Random): Promise<void> {
  const plans = NAMES.map((name) => {
    const count = random() < 0.4 ? 0 : 1 + Math.floor(random() * 4)
    return { name, writes: ids('', count).map(() => (random() < 0.5 ? undefined : version(name, random))) }
  })
  await Promise.all(
    plans.map(async ({ name, writes }) => {
      for (const write of writes) await (write === undefined ? remove(host, name) : put(host, write))
    }),
  )
}

/** What a client has that takes over each export: first the output, and then what was deleted. */
class Replica {
  readonly resources = new Map<string, TestResource>()
  #since: string | undefined

  constructor(
    private readonly host: TestHost,
    private readonly level: 'system' | { readonly group: string },
  ) {}

  /** @param meanwhile runs while the export does */
  async update(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    const since = this.#since === undefined ? {} : { _since: this.#since }
    const statusUrl = await this.host.client.kickOff(this.level, since)
    const [manifest] = await Promise.all([this.host.manifest(statusUrl), meanwhile()])
    await this.#take(manifest)
    this.#since = manifest.transactionTime
  }

  async #take(manifest: Manifest): Promise<void> {
    const output = await linesOf(manifest.output)
    const names = output.map(nameOf)
    const deleted = await deletedNames(manifest)
    expect(new Set(names).size, 'comes once').to.equal(names.length)
    expect(new Set(deleted).size, 'is told once').to.equal(deleted.length)
    expect(
      deleted.filter((name) => names.includes(name)),
      'in both',
    ).to.deep.equal([])
    for (const resource of output) this.resources.set(nameOf(resource), resource)
    for (const name of deleted) this.resources.delete(name)
  }
}

describe('a client that takes over export after export, each since the one before', () => {
  const database = useDatabase()
  const options: TestHostOptions['options'] = { maxFileResources: 4, pageSize: 3 }
  const hosts = {
    quiet: () => ({ types: TYPES, resources: [], options }),
    // Writes that began before an export have to be over when its reading begins.
    busy: () => ({ types: TYPES, resources: [], options: { ...options, writeGrace: 400 } }),
  }
  const levels = { system: 'system', group: { group: 'g' } } as const

  const serverState = async (level: keyof typeof levels) => {
    const all = new Map<string, TestResource>()
    for (const type of TYPES) {
      const collection = database.db.collection<TestResource>(collectionName(type, '4_0_0'))
      for await (const resource of collection.find({}, { projection: { _id: 0 } })) {
        const isMeant = level === 'system' || [...compartmentsOf(resource)].some((id) => MEMBERS.includes(id))
        if (isMeant) all.set(nameOf(resource), resource as TestResource)
      }
    }
    return all
  }
  const asObject = (state: ReadonlyMap<string, TestResource>) =>
    Object.fromEntries([...state].sort(([a], [b]) => (a < b ? -1 : 1)))
  const expectSame = async (replica: Replica, level: keyof typeof levels, when: string) => {
    const expected = asObject(await serverState(level))
    expect(Object.keys(asObject(replica.resources)), when).to.deep.equal(Object.keys(expected))
    expect(asObject(replica.resources), when).to.deep.equal(expected)
  }

  describe('of a server where nobody writes meanwhile', () => {
    const test = useHost(database, hosts.quiet)
    for (const level of ['system', 'group'] as const) {
      for (const seed of [1, 2]) {
        it(`has what the server has after each, at ${level} level, seed ${seed} [FL-31 FL-32]`, async () => {
          const { host } = test
          const random = randomFrom(seed)
          const replica = new Replica(host, levels[level])
          await put(host, GROUP)
          for (let round = 1; round <= ROUNDS; round += 1) {
            await change(host, random)
            await replica.update()
            await expectSame(replica, level, `round ${round}`)
          }
        })
      }
    }
  })

  describe('of a server where others write all the time', () => {
    const test = useHost(database, hosts.busy)
    for (const level of ['system', 'group'] as const) {
      for (const seed of [3]) {
        it(`has what the server has in the end, at ${level} level, seed ${seed} [FL-31 FL-32]`, async () => {
          const { host } = test
          const random = randomFrom(seed)
          const replica = new Replica(host, levels[level])
          await put(host, GROUP)
          for (let round = 1; round <= ROUNDS; round += 1) {
            const before = change(host, random)
            await replica.update(async () => {
              await before
              await change(host, random)
            })
            if (round % 3 > 0) continue
            await replica.update()
            await expectSame(replica, level, `round ${round}`)
          }
        })
      }
    }
  })
})
