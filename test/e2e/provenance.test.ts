import { expect } from 'chai'
import type { HostProfile } from '../../plugin/index.js'
import { startHost, store, type TestHost, type TestResource, useHost } from '../support/export-host.js'
import { useDatabase, useSuiteDatabase } from '../support/mongodb.js'
import {
  type Asked,
  expected,
  exportOf,
  FUTURE,
  LATEST,
  type Pair,
  RELEVANT,
  type Sent,
  send,
} from '../support/provenance.js'

const at = (day: number) => `2024-01-${String(day).padStart(2, '0')}T10:00:00Z`
const of = (id: string) => ({ reference: `Patient/${id}` })

function resource(name: string, elements: object = {}, lastUpdated = at(1)): TestResource {
  const [resourceType, id] = name.split('/') as [string, string]
  return { resourceType, id, meta: { lastUpdated }, ...elements }
}

function provenance(
  id: string,
  recorded: string,
  targets: readonly (string | object)[],
  lastUpdated = at(1),
): TestResource {
  const target = targets.map((each) => (typeof each === 'string' ? { reference: each } : each))
  return resource(`Provenance/${id}`, { recorded, target }, lastUpdated)
}

const MEMBERS = ['a', 'b']
const GROUP = resource('Group/g', {
  ...{ type: 'person', actual: true },
  member: MEMBERS.map((id) => ({ entity: of(id) })),
})
const RECORDS = [
  resource('Patient/a', {}, at(11)),
  ...['b', 'c'].map((id) => resource(`Patient/${id}`)),
  GROUP,
  resource('Observation/oa', { status: 'final', subject: of('a') }, at(20)),
  resource('Observation/ob', { status: 'preliminary', subject: of('b') }),
  resource('Observation/oc', { status: 'final', subject: of('c') }),
  resource('Observation/oab', { status: 'final', subject: of('a'), performer: [of('b')] }, at(12)),
  resource('Observation/ox', { status: 'final' }, at(13)),
  resource('Condition/ca', { subject: of('a') }),
  resource('Condition/cb', { subject: of('b') }, at(14)),
  resource('Practitioner/d'),
]

function recordsAt(base: string): readonly TestResource[] {
  return [
    ...RECORDS,
    // By its text the first would be the newer one.
    provenance('a1', '2024-01-05T00:30:00+02:00', ['Patient/a'], at(15)),
    provenance('a2', '2024-01-04T23:00:00Z', ['Patient/a']),
    provenance('a-later', at(28), ['Patient/a', 'Observation/oa'], FUTURE),
    provenance('many', at(2), [
      ...['Patient/a', 'Patient/b', 'Patient/c', 'Observation/oa', 'Observation/oab', 'Condition/ca'],
      ...['Patient/a', 'Practitioner/d'],
    ]),
    provenance('oa1', at(3), [`${base}/Observation/oa`]),
    provenance('oa2', at(9), [`${base}/Observation/oa`, 'Observation/oa', 'Observation/oc']),
    provenance('ob1', at(4), ['Observation/ob'], at(16)),
    provenance('oc1', at(4), ['Observation/oc']),
    provenance('oab1', at(4), ['Observation/oab']),
    provenance('ox1', at(4), ['Observation/ox']),
    provenance('b1', at(3), [`${base}/Patient/b`]),
    provenance('c1', at(7), ['Patient/c'], at(17)),
    provenance('ca1', at(5), ['Condition/ca', 'Condition/cb']),
    provenance('d1', at(5), ['Practitioner/d']),
    provenance('g1', at(6), ['Group/g']),
    { ...provenance('cb1', at(6), ['Condition/cb']), meta: {} },
    provenance('elsewhere', at(27), ['https://other.example.org/4_0_0/Patient/a', 'urn:uuid:a']),
    { ...provenance('inside', at(27), ['#a']), contained: [{ resourceType: 'Patient', id: 'a' }] },
    provenance('logical', at(27), [{ type: 'Patient', identifier: { value: 'a' } }]),
    provenance('gone', at(27), ['Observation/gone']),
  ]
}

const LEVELS = [
  ['system', '$export'],
  ['patient', 'Patient/$export'],
  ['group', 'Group/g/$export'],
] as const

interface Outcome {
  readonly resourceType: string
  readonly issue: readonly { readonly diagnostics: string }[]
}

describe('Provenance', () => {
  const database = useSuiteDatabase()
  const types = ['Patient', 'Group', 'Observation', 'Condition', 'Practitioner', 'Provenance']
  let host: TestHost
  let records: readonly TestResource[]
  before('start a host', async () => {
    // Small pages and files: everything goes over several of both.
    const options = { pageSize: 2, maxFileResources: 2, workers: 6, minPollInterval: 0 }
    host = await startHost(database, { types, options })
    records = recordsAt(host.base)
    await store(database, records)
  })
  after('close the host', () => host?.close())

  async function expectExport(path: string, sent: Sent, asked: Asked): Promise<string> {
    const { names, notes, manifest } = await exportOf(host, path, sent)
    const wanted = expected(records, host.base, { members: MEMBERS, ...asked })
    expect(names, JSON.stringify(sent)).to.deep.equal(wanted)
    for (const { count } of manifest.output) expect(count).to.be.within(1, 2)
    return notes
  }

  const isFinal = (each: TestResource) => each.resourceType !== 'Observation' || each['status'] === 'final'
  const narrowings: readonly (readonly [what: string, pairs: readonly Pair[], asked: Partial<Asked>])[] = [
    ['nothing else', [], {}],
    [
      '_type without Provenance',
      [['_type', 'Observation,Condition']],
      { types: ['Observation', 'Condition'] },
    ],
    ['_type with Provenance', [['_type', 'Provenance,Patient']], { types: ['Provenance', 'Patient'] }],
    ['_type of Provenance alone', [['_type', 'Provenance']], { types: ['Provenance'] }],
    ['_since', [['_since', at(10)]], { since: at(10) }],
    ['_typeFilter', [['_typeFilter', 'Observation?status=final']], { passes: isFinal }],
    [
      '_type, _since and _typeFilter',
      [
        ['_type', 'Patient,Observation'],
        ['_since', at(11)],
        ['_typeFilter', 'Observation?status=final'],
      ],
      { types: ['Patient', 'Observation'], since: at(11), passes: isFinal },
    ],
  ]
  for (const [level, path] of LEVELS) {
    for (const [value, which] of [
      [LATEST, 'latest'],
      [RELEVANT, 'relevant'],
    ] as const) {
      for (const [what, pairs, asked] of narrowings) {
        it(`${path} with includeAssociatedData=${value} and ${what}: ${which} of what is exported, each once [QP-70]`, async () => {
          const name = 'includeAssociatedData'
          const ways: readonly Sent[] = [
            { pairs: [...pairs, [name, value]] },
            { pairs: [[name, value, 'valueCode'], ...pairs], way: 'POST' },
            { pairs: [[name, value, 'valueString'], ...pairs], way: 'POST' },
            { pairs: [...pairs, [name, value, 'valueCoding']], way: 'POST' },
          ]
          const tried = what === 'nothing else' ? ways : ways.slice(0, 1)
          await Promise.all(tried.map((sent) => expectExport(path, sent, { level, which, ...asked })))
        })
      }
    }

    it(`${path} with both values, however they are given, has all Provenance of what is exported [QP-71]`, async () => {
      const both: readonly (readonly [way: 'GET' | 'POST', values: readonly string[]])[] = [
        ['GET', [`${LATEST},${RELEVANT}`]],
        ['POST', [`${RELEVANT}, ${LATEST}`]],
        ['POST', [LATEST, RELEVANT]],
        ['GET', [RELEVANT, LATEST, RELEVANT]],
      ]
      const tried = both.map(([way, values]) => {
        const pairs = values.map((value): Pair => ['includeAssociatedData', value, 'valueCode'])
        return expectExport(path, { pairs, way }, { level, which: 'relevant' })
      })
      await Promise.all(tried)
    })

    const isEarly = ({ resourceType, recorded }: TestResource) =>
      resourceType !== 'Provenance' || Date.parse(String(recorded)) < Date.parse(at(5))
    const own: typeof narrowings = [
      ...narrowings,
      [
        '_type of Provenance and _since',
        [
          ['_type', 'Provenance'],
          ['_since', at(10)],
        ],
        { types: ['Provenance'], since: at(10) },
      ],
      ['a filter for itself', [['_typeFilter', `Provenance?recorded=lt${at(5)}`]], { passes: isEarly }],
    ]
    for (const [what, pairs, asked] of own) {
      const all = level === 'system' ? 'all there is' : 'all about the compartments'
      it(`${path} without includeAssociatedData and with ${what}: ${all}, unless _type has others only [QP-73]`, async () => {
        await expectExport(path, { pairs }, { level, ...asked })
      })
    }

    it(`${path} refuses a value that there is not, or leaves it out and says so when lenient [QP-72]`, async () => {
      const headers = { Prefer: 'respond-async, handling=lenient' }
      const named = /_myOwn|latestprovenanceresources/
      const cases: readonly (readonly ['GET' | 'POST', readonly string[], Partial<Asked>])[] = [
        ['GET', ['_myOwn'], {}],
        ['POST', ['latestprovenanceresources'], {}],
        ['GET', [`${LATEST},_myOwn`], { which: 'latest' }],
        ['POST', ['_myOwn', RELEVANT], { which: 'relevant' }],
      ]
      const tried = cases.map(async ([way, values, asked]) => {
        const pairs = values.map((value): Pair => ['includeAssociatedData', value, 'valueCode'])
        const refused = await send(host, path, { pairs, way })
        const { resourceType, issue } = (await refused.json()) as Outcome
        expect([refused.status, resourceType, issue.length]).to.deep.equal([400, 'OperationOutcome', 1])
        expect(issue[0]?.diagnostics).to.match(named)
        const notes = await expectExport(path, { pairs, way, headers }, { level, ...asked })
        // One line, or this is no JSON.
        const note = JSON.parse(notes) as Outcome
        expect([note.resourceType, note.issue[0]?.diagnostics.match(named)?.length]).to.deep.equal([
          ...['OperationOutcome', 1],
        ])
      })
      await Promise.all(tried)
    })
  }

  for (const [level, path] of LEVELS.slice(1)) {
    const modes = [
      [undefined, 'QP-73'],
      ['latest', 'QP-70'],
      ['relevant', 'QP-70'],
    ] as const
    for (const [which, row] of modes) {
      it(`${path} with patient has Provenance about these patients alone: ${which ?? 'all'} [${row}]`, async () => {
        const value = which === 'latest' ? LATEST : RELEVANT
        const rest: readonly Pair[] = which === undefined ? [] : [['includeAssociatedData', value]]
        for (const patients of [['a'], ['b'], ['b', 'a']]) {
          const pairs = [...patients.map((id): Pair => ['patient', `Patient/${id}`]), ...rest]
          const asked = { level, patients, ...(which === undefined ? {} : { which }) }
          await expectExport(path, { pairs, way: 'POST' }, asked)
        }
      })
    }
  }
})

describe('Provenance whose targets', () => {
  const database = useDatabase()
  const test = useHost(database, () => ({
    types: ['Patient', 'Group', 'Observation', 'Binary', 'Provenance'],
    options: { pageSize: 2, minPollInterval: 0 },
  }))
  const patient = resource('Patient/a')
  const observation = resource('Observation/o', { subject: of('a') })
  const group = { ...GROUP, member: [{ entity: of('a') }] }
  const modes = [
    [undefined, [], 'QP-73'],
    ['latest', [['includeAssociatedData', LATEST]], 'QP-70'],
    ['relevant', [['includeAssociatedData', RELEVANT]], 'QP-70'],
  ] as const

  for (const [level, path] of LEVELS) {
    for (const [which, pairs, row] of modes) {
      const mode = which ?? 'no includeAssociatedData'
      async function expectThese(records: readonly TestResource[]) {
        const { host } = test
        await store(database, records)
        const asked = { level, members: ['a'], ...(which === undefined ? {} : { which }) }
        const { names } = await exportOf(host, path, { pairs })
        expect(names).to.deep.equal(expected(records, host.base, asked))
      }

      it(`are named with a version come with ${path} and ${mode} [${row}]`, async () => {
        await expectThese([
          ...[{ ...patient, meta: { versionId: '3', lastUpdated: at(1) } }, observation, group],
          provenance('now', at(9), ['Patient/a/_history/3']),
          provenance('before', at(5), ['Patient/a/_history/2', 'Observation/o/_history/1']),
          provenance('written-out', at(7), [`${test.host.base}/Observation/o/_history/1`]),
        ])
      })

      it(`were updated after the transaction time come with ${path} and ${mode} as far as they should [${row}]`, async () => {
        const meta = { lastUpdated: FUTURE }
        await expectThese([
          ...[{ ...patient, meta }, { ...observation, meta }, group],
          provenance('of-the-patient', at(5), ['Patient/a']),
          provenance('of-the-observation', at(5), ['Observation/o']),
        ])
      })
    }
  }

  for (const value of [LATEST, RELEVANT]) {
    it(`are not exported do not come with ${value}: a Binary about a patient [QP-70]`, async () => {
      await store(database, [
        ...[patient, resource('Binary/mine', { securityContext: of('a') }), resource('Binary/any')],
        provenance('of-mine', at(5), ['Binary/mine']),
        provenance('of-any', at(5), ['Binary/any']),
      ])
      const { names } = await exportOf(test.host, '$export', { pairs: [['includeAssociatedData', value]] })
      expect(names).to.deep.equal(['Binary/any', 'Patient/a', 'Provenance/of-any'])
    })
  }
})

describe('Provenance from a service that knows no parameters', () => {
  const records = recordsAt('https://example.org/4_0_0')
  const all = records.filter(({ resourceType }) => resourceType === 'Provenance')
  const Provenance: HostProfile = { service: { search: async () => all }, versions: ['4_0_0'] }
  const test = useHost(useDatabase(), () => ({
    resources: records.filter((each) => !all.includes(each)),
    ...{ profiles: { Provenance }, options: { minPollInterval: 0, pageSize: 3, maxFileResources: 3 } },
  }))

  for (const [level, path] of LEVELS) {
    it(`is chosen all the same by ${path} [QP-70 QP-73]`, async () => {
      for (const [which, value] of [[], ['latest', LATEST], ['relevant', RELEVANT]] as const) {
        const pairs: readonly Pair[] = value === undefined ? [] : [['includeAssociatedData', value]]
        const { names } = await exportOf(test.host, path, { pairs })
        const asked = { level, members: MEMBERS, ...(which === undefined ? {} : { which }) }
        expect(names, which).to.deep.equal(expected(records, test.host.base, asked))
      }
    })
  }
})

describe('a client whose token', () => {
  const records = [
    ...[resource('Patient/a'), GROUP, resource('Observation/o', { subject: of('a') })],
    provenance('pa', at(5), ['Patient/a']),
    provenance('po', at(6), ['Observation/o']),
  ]
  let covered: ReadonlySet<string>
  const test = useHost(useDatabase(), () => ({
    resources: records,
    options: { minPollInterval: 0, authorize: async () => ({ clientId: 'client', types: covered }) },
  }))

  for (const [, path] of LEVELS) {
    it(`does not cover Provenance gets 403 with ${path}, and when lenient what it covers and a note [QP-72]`, async () => {
      covered = new Set(['Patient', 'Observation'])
      const headers = { Prefer: 'respond-async, handling=lenient' }
      for (const rest of [[], [['_type', 'Patient,Observation']]] as const) {
        for (const value of [LATEST, RELEVANT]) {
          const pairs: readonly Pair[] = [...rest, ['includeAssociatedData', value]]
          const refused = await send(test.host, path, { pairs })
          expect([refused.status, await refused.text()].join()).to.match(/^403,.*Provenance/)
          const { names, notes } = await exportOf(test.host, path, { pairs, headers })
          expect(names).to.deep.equal(['Observation/o', 'Patient/a'])
          expect(notes).to.match(/Provenance/)
        }
      }
    })

    it(`covers Provenance, but not all that it is about, gets with ${path} what is about the rest [QP-70]`, async () => {
      covered = new Set(['Patient', 'Provenance'])
      for (const value of [LATEST, RELEVANT]) {
        const pairs = [['includeAssociatedData', value]] as const
        const { names } = await exportOf(test.host, path, { pairs })
        expect(names).to.deep.equal(['Patient/a', 'Provenance/pa'])
      }
    })
  }

  for (const [, path] of LEVELS.slice(1)) {
    it(`covers Provenance, but no Patient, gets with ${path} the Provenance of patients [QP-73]`, async () => {
      covered = new Set(['Provenance'])
      const { names } = await exportOf(test.host, path)
      expect(names).to.include('Provenance/pa')
    })
  }
})
