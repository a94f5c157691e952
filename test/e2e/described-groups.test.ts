import { inspect } from 'node:util'
import { expect } from 'chai'
import type { GroupMembers, HookContext } from '../../plugin/index.js'
import { startHost, store, type TestHost, type TestResource, useHost } from '../support/export-host.js'
import { deletedNames, issuesOf, outputNames, problemsOf, remove } from '../support/manifest-files.js'
import { useDatabase } from '../support/mongodb.js'
import { type Answer, ask, expectRefusal, Gate, kickOff } from '../support/protected-host.js'

const FILTER = 'http://hl7.org/fhir/uv/bulkdata/StructureDefinition/member-filter'
const SECRET = 'mongodb://user:hunter2@db/ says no'
const META = { lastUpdated: '2024-07-01T00:00:00Z' }
const BASE = { resourceType: 'Group', type: 'person', meta: META }
const member = (...names: readonly string[]) => names.map((reference) => ({ entity: { reference } }))
const filters = (...queries: readonly string[]) =>
  queries.map((expression) => ({
    ...{ url: FILTER, valueExpression: { language: 'application/x-fhir-query', expression } },
  }))

const PATIENTS = ['a', 'b', 'c', 'd'].map((id, index) => ({
  ...{ resourceType: 'Patient', id, meta: META },
  ...{ gender: index % 2 ? 'male' : 'female', birthDate: index < 2 ? '1950-01-01' : '2000-01-01' },
}))
const OBSERVATIONS = ['a', 'b', 'c', 'd'].map((patient) => ({
  ...{
    resourceType: 'Observation',
    id: `o${patient}`,
    meta: META,
    subject: { reference: `Patient/${patient}` },
  },
}))
const DESCRIBED: TestResource = {
  ...BASE,
  id: 'described',
  actual: false,
  characteristic: [{ exclude: false }],
}
const GROUPS: readonly TestResource[] = [
  DESCRIBED,
  {
    ...BASE,
    id: 'filtered',
    actual: true,
    member: member('Patient/d'),
    modifierExtension: filters('Patient?gender=male'),
  },
  {
    ...{ ...BASE, id: 'member-filtered', actual: true },
    member: [
      { ...member('Patient/d')[0], modifierExtension: [{ url: 'http://example.org/x', valueBoolean: true }] },
    ],
  },
  {
    ...{ ...BASE, id: 'both-filters', actual: true },
    modifierExtension: filters('Patient?gender=female', 'Patient?birthdate=lt1980-01-01'),
  },
  { ...BASE, id: 'listed', actual: true, member: member('Patient/d', 'Group/described') },
  { ...BASE, id: 'outer', actual: true, member: member('Group/listed', 'Group/described', 'Group/outer') },
]
const ONLY = '_type=Patient,Observation'
/** How many groups a process reads at the same time. */
const AT_ONCE = 5

/** What an export of these patients has. */
const recordsOf = (...patients: readonly string[]) => [
  ...patients.map((id) => `Observation/o${id}`),
  ...patients.map((id) => `Patient/${id}`),
]

describe('a group that describes its members', () => {
  const database = useDatabase()
  let hook: GroupMembers
  let calls: { readonly group: TestResource; readonly context: HookContext }[] = []
  const gates: Gate[] = []
  const test = useHost(database, () => {
    calls = []
    return {
      resources: [...PATIENTS, ...OBSERVATIONS, ...GROUPS],
      options: {
        workers: 1,
        groupMembers: (group, context) => {
          calls.push({ group: group as TestResource, context })
          return hook(group, context)
        },
        authorize: async ({ headers }) => ({
          clientId: 'me',
          user: { name: headers['x-user'] },
          types: 'all',
        }),
      },
    }
  })
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.open()
  })
  const exportOf = async (group: string, query = `?${ONLY}`) => {
    const { host } = test
    return host.manifest(await kickOff(host, {}, `Group/${group}/$export${query}`))
  }
  const namesIn = async (group: string, query?: string) => outputNames(await exportOf(group, query))
  /** How the status of an export answers that has failed. */
  const failureOf = async (group: string): Promise<Answer> => {
    const statusUrl = await kickOff(test.host, {}, `Group/${group}/$export`)
    expect(await test.host.ended(statusUrl)).to.equal('failed')
    return ask(statusUrl)
  }

  const lists: Readonly<Record<string, (ids: readonly string[]) => ReturnType<GroupMembers>>> = {
    'a list': (ids) => ids,
    'a set': (ids) => new Set(ids),
    'an async iterable': async function* (ids) {
      yield* ids
    },
    'a promise of a list': async (ids) => ids,
    'a promise of an async iterable': async (ids) =>
      (async function* () {
        yield* ids
      })(),
  }
  for (const [what, listOf] of Object.entries(lists)) {
    it(`is exported as the hook says, which gives ${what}`, async () => {
      hook = () => listOf(['c', 'a', 'c'])
      expect(await namesIn('described')).to.deep.equal(recordsOf('a', 'c'))
    })
  }

  it('comes to the hook whole, with the version and the user of the kick-off', async () => {
    hook = () => ['a']
    const statusUrl = await kickOff(test.host, { headers: { 'X-User': 'Ann' } }, 'Group/described/$export')
    await test.host.manifest(statusUrl)
    expect(calls.map(({ group }) => group)).to.deep.equal([DESCRIBED])
    const [context] = calls.map((call) => call.context)
    expect([context?.version, context?.user]).to.deep.equal(['4_0_0', { name: 'Ann' }])
    expect(context?.signal).to.be.instanceOf(AbortSignal)
  })

  for (const id of ['filtered', 'member-filtered']) {
    it(`is also one that lists members with a modifier extension: ${id} [GR-09]`, async () => {
      hook = () => ['b']
      expect(await namesIn(id)).to.deep.equal(recordsOf('b'))
      expect(calls.map(({ group }) => group.id)).to.deep.equal([id])
    })
  }

  it('has the members that match all filters of the group, as a hook finds them [GR-09]', async () => {
    hook = async (group) => {
      const extensions = group['modifierExtension'] as readonly {
        readonly valueExpression: { expression: string }
      }[]
      const found = extensions.map(async ({ valueExpression }) => {
        const bundle = await (await fetch(`${test.host.base}/${valueExpression.expression}`)).json()
        return ((bundle as { entry?: { resource: TestResource }[] }).entry ?? []).map(
          ({ resource }) => resource.id as string,
        )
      })
      const [first = [], ...others] = await Promise.all(found)
      return first.filter((id) => others.every((ids) => ids.includes(id)))
    }
    expect(await namesIn('both-filters')).to.deep.equal(recordsOf('a'))
    expect(await namesIn('filtered')).to.deep.equal(recordsOf('b', 'd'))
  })

  it('counts as a member of other groups, once [GR-03]', async () => {
    hook = () => ['a', 'd']
    expect(await namesIn('listed')).to.deep.equal(recordsOf('a', 'd'))
    calls = []
    expect(await namesIn('outer')).to.deep.equal(recordsOf('a', 'd'))
    expect(calls.map(({ group }) => group.id)).to.deep.equal(['described'])
  })

  it('is not asked about when a group lists its members', async () => {
    hook = () => expect.fail('it was asked')
    await store(database, [{ ...BASE, id: 'plain', actual: true, member: member('Patient/b') }])
    expect(await namesIn('plain')).to.deep.equal(recordsOf('b'))
    expect(calls).to.deep.equal([])
  })

  it('may have no members: then nothing is exported, and never everyone', async () => {
    for (const empty of [[], Promise.resolve([]), new Set<string>()]) {
      hook = () => empty
      for (const query of ['', `?${ONLY}`, '?_since=2024-01-01T00:00:00Z']) {
        const { output, deleted, error } = await exportOf('described', query)
        expect([output, deleted, error], query).to.deep.equal([[], [], []])
      }
    }
  })

  it('may have members that are not there: the others are exported', async () => {
    hook = () => ['nobody', 'a', 'x'.repeat(64)]
    expect(await namesIn('described')).to.deep.equal(recordsOf('a'))
    hook = () => ['nobody']
    expect(await namesIn('described')).to.deep.equal([])
  })

  it('tells what was deleted of those members', async () => {
    hook = () => ['a', 'b']
    await remove(test.host, 'Observation/oa', 'Observation/oc', 'Patient/b', 'Patient/d')
    const manifest = await exportOf('described', '?_since=2024-08-01T00:00:00Z')
    expect(await deletedNames(manifest)).to.deep.equal(['Observation/oa', 'Patient/b'])
  })

  const nothing: Readonly<Record<string, () => ReturnType<GroupMembers>>> = {
    undefined: () => undefined,
    'a promise of it': () => Promise.resolve(undefined),
  }
  for (const [what, answer] of Object.entries(nothing)) {
    it(`is 422 at the status when the hook gives ${what}, also within a group`, async () => {
      hook = answer
      for (const id of ['described', 'listed', 'outer', 'filtered']) {
        const says = expectRefusal(await failureOf(id), 422, 'not-supported', id)
        expect(says).to.match(id === 'filtered' ? /Group filtered\b/ : /Group described\b/)
      }
    })
  }

  const garbage: readonly unknown[] = [
    ...[[7], [null], [undefined], [''], ['a b'], ['Patient/a'], ['a\n'], ['x'.repeat(65)], [{ id: 'a' }]],
    ...[['a', 'b', ['c']], { a: 'b' }, 7, null, true],
    // Text is a list of letters, and there are patients with one letter.
    ...['ab', Promise.resolve('ab')],
  ]
  for (const [index, given] of garbage.entries()) {
    it(`fails the export when the hook gives ${inspect(given)} (${index})`, async () => {
      hook = () => given as readonly string[]
      const answer = await failureOf('described')
      expect(answer.status, answer.text).to.equal(500)
      expect(problemsOf(JSON.parse(answer.text))).to.deep.equal([])
    })
  }

  const failures: Readonly<Record<string, GroupMembers>> = {
    'throws at once': () => {
      throw new Error(SECRET)
    },
    'gives a promise that rejects': async () => {
      throw new Error(SECRET)
    },
    async *'throws on the way'() {
      yield 'a'
      throw new Error(SECRET)
    },
  }
  for (const [what, failing] of Object.entries(failures)) {
    it(`fails the export without a word of why when the hook ${what}`, async () => {
      hook = failing
      const { host } = test
      const body = patientsBody('a')
      const answers = [
        await failureOf('described'),
        await failureOf('listed'),
        await ask(`${host.base}/Group/described/$export`, { body }),
      ]
      for (const answer of answers) {
        expectRefusal(answer, 500, 'exception')
        expect(answer.text + JSON.stringify([...answer.headers])).not.to.match(/hunter2|says no/)
      }
    })
  }

  it('narrows the patients that are asked for by name', async () => {
    hook = () => ['a', 'c']
    const { host } = test
    const path = 'Group/described/$export'
    const patients = async (...ids: readonly string[]) => {
      const statusUrl = await kickOff(host, { body: patientsBody(...ids) }, `${path}?${ONLY}`)
      return outputNames(await host.manifest(statusUrl))
    }
    expect(await patients('a')).to.deep.equal(recordsOf('a'))
    expect(await patients('c', 'a')).to.deep.equal(recordsOf('a', 'c'))
    for (const ids of [['b'], ['a', 'b'], ['nobody']]) {
      const says = expectRefusal(
        await ask(`${host.base}/${path}`, { body: patientsBody(...ids) }),
        422,
        'not-found',
      )
      expect(says)
        .to.include(`Patient/${ids.at(-1)}`)
        .and.not.to.include('Patient/a')
    }
    const headers = { Prefer: 'respond-async, handling=lenient' }
    for (const [ids, expected] of [
      [['a', 'b'], recordsOf('a')],
      [['b'], []],
    ] as const) {
      const statusUrl = await kickOff(host, { body: patientsBody(...ids), headers }, `${path}?${ONLY}`)
      const manifest = await host.manifest(statusUrl)
      expect(await outputNames(manifest)).to.deep.equal(expected)
      expect((await issuesOf(manifest)).map(({ severity }) => severity)).to.deep.equal(['warning'])
    }
    hook = () => undefined
    expectRefusal(await ask(`${host.base}/${path}`, { body: patientsBody('a') }), 422, 'not-supported')
  })

  it('whose hook never answers keeps nobody else from exports, once its own are deleted', async () => {
    const { host } = test
    const gate = new Gate()
    const all = new Gate()
    gates.push(gate, all)
    hook = async () => {
      if (calls.length === AT_ONCE) all.arrive()
      await gate.pass()
      return ['a']
    }
    const path = 'Group/described/$export'
    const waiting = await Promise.all(Array.from({ length: AT_ONCE }, () => kickOff(host, {}, path)))
    await all.reached
    for (const statusUrl of waiting) await host.client.remove(statusUrl)
    const other = await kickOff(host, {}, `$export?${ONLY}`)
    expect(await outputNames(await host.manifest(other))).to.deep.equal(recordsOf('a', 'b', 'c', 'd').sort())
  })
})

describe('a group that describes its members on a host without the hook', () => {
  const database = useDatabase()
  let host: TestHost
  beforeEach(async () => {
    host = await startHost(database, { resources: [...PATIENTS, ...OBSERVATIONS, ...GROUPS] })
  })
  afterEach(() => host.close())

  it('is 422 at the kick-off, and nothing is stored', async () => {
    for (const id of ['described', 'filtered', 'member-filtered', 'both-filters']) {
      for (const asked of [{}, { body: { resourceType: 'Parameters' } }, { body: patientsBody('a') }]) {
        const answer = await ask(`${host.base}/Group/${id}/$export`, asked)
        expect(expectRefusal(answer, 422, 'not-supported', id)).to.include(`Group ${id} `)
      }
    }
    expect(await database.db.collection('bulkexport.jobs').countDocuments()).to.equal(0)
  })

  it('is 422 at the status when it is within a group [GR-03]', async () => {
    for (const id of ['listed', 'outer']) {
      const statusUrl = await kickOff(host, {}, `Group/${id}/$export`)
      expect(await host.ended(statusUrl)).to.equal('failed')
      expect(expectRefusal(await ask(statusUrl), 422, 'not-supported')).to.include('Group described ')
    }
  })
})

function patientsBody(...ids: readonly string[]): object {
  const parameter = ids.map((id) => ({ name: 'patient', valueReference: { reference: `Patient/${id}` } }))
  return { resourceType: 'Parameters', parameter }
}
