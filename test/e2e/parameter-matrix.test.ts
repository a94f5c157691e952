import { expect } from 'chai'
import { compartmentsOf } from '../support/compartment.js'
import { startHost, type TestHost, type TestResource } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'

type Pairs = readonly (readonly [name: string, value: string])[]
type Level = 'system' | 'patient' | 'group'
type Way = 'GET' | 'POST'

const PATHS: Readonly<Record<Level, string>> = {
  system: '$export',
  patient: 'Patient/$export',
  group: 'Group/ours/$export',
}
const LEVELS = Object.keys(PATHS) as readonly Level[]
const WAYS = ['GET', 'POST'] as const
const HANDLINGS = ['strict', 'lenient'] as const

const at = (day: number) => `2024-03-${String(day).padStart(2, '0')}T00:00:00.000Z`
const resource = (resourceType: string, id: string, day: number, more: object = {}): TestResource => {
  return { resourceType, id, meta: { lastUpdated: at(day) }, ...more }
}
const of = (patient: string) => ({ subject: { reference: `Patient/${patient}` } })
const about = (...targets: readonly string[]) => targets.map((reference) => ({ reference }))
const RESOURCES: readonly TestResource[] = [
  ...['p1', 'p2', 'p3', 'p4'].map((id, day) => {
    return resource('Patient', id, day + 1, {
      gender: day % 2 === 0 ? 'female' : 'male',
      birthDate: '1980-01-01',
    })
  }),
  ...['p1', 'p2', 'p3', 'p4'].flatMap((patient, day) =>
    ['final', 'amended', 'cancelled'].map((status, number) => {
      const code = { text: `${status}, measured` }
      return resource('Observation', `${patient}-o${number}`, day + 1 + 5 * number, {
        status,
        code,
        ...of(patient),
      })
    }),
  ),
  resource('Organization', 'org', 3, { name: 'Clinic' }),
  resource('Group', 'ours', 4, {
    ...{ type: 'person', actual: true },
    member: about('Patient/p1', 'Patient/p3').map((entity) => ({ entity })),
  }),
  resource('Provenance', 'old', 2, {
    recorded: at(2),
    target: about('Observation/p1-o0'),
    agent: [{ who: {} }],
  }),
  resource('Provenance', 'new', 9, {
    recorded: at(9),
    target: about('Observation/p1-o0', 'Organization/org'),
  }),
  resource('Provenance', 'other', 9, { recorded: at(9), target: about('Patient/p4') }),
  resource('Provenance', 'clinic', 9, { recorded: at(8), target: about('Organization/org') }),
]

const isA = (type: string) => (each: TestResource) => each.resourceType === type
const isProvenance = isA('Provenance')
const isObservation = isA('Observation')
const dayOf = ({ meta }: TestResource) => new Date((meta as { lastUpdated: string }).lastUpdated).getUTCDate()
const nameOf = ({ resourceType, id }: TestResource) => `${resourceType}/${id}`
const targetsOf = (provenance: TestResource) =>
  (provenance['target'] as readonly { reference: string }[]).map(({ reference }) => reference)

/** What is in an export of a level that asks for nothing more. */
function everythingAt(level: Level): TestResource[] {
  if (level === 'system') return [...RESOURCES]
  const isMeant = (each: TestResource) => {
    const patients = [...compartmentsOf(each)]
    return level === 'patient' ? patients.length > 0 : patients.some((id) => id === 'p1' || id === 'p3')
  }
  const direct = RESOURCES.filter(isMeant)
  const names = new Set(direct.map(nameOf))
  const linked = RESOURCES.filter(isProvenance).filter((each) =>
    targetsOf(each).some((name) => names.has(name)),
  )
  return RESOURCES.filter((each) => direct.includes(each) || linked.includes(each))
}

/** Provenance with the resources that are exported, and no other. */
function withProvenance(exported: readonly TestResource[], which: 'latest' | 'all'): TestResource[] {
  const others = exported.filter((each) => !isProvenance(each))
  const chosen = others.flatMap((each) => {
    const found = RESOURCES.filter(isProvenance).filter((one) => targetsOf(one).includes(nameOf(each)))
    const sorted = found.sort((a, b) => String(b['recorded']).localeCompare(String(a['recorded'])))
    return which === 'latest' ? sorted.slice(0, 1) : sorted
  })
  return [...others, ...new Set(chosen)]
}

interface Case {
  readonly pairs: Pairs
  /** What is exported of everything at the level; absent: the kick-off is refused in any case. */
  readonly keeps?: (all: readonly TestResource[]) => readonly TestResource[]
  /** Names this server does not support: refused strictly, left out and reported leniently. */
  readonly unsupported?: true
  readonly levels?: readonly Level[]
  readonly ways?: readonly Way[]
}

const all = (each: readonly TestResource[]) => each
const only = (test: (each: TestResource) => boolean) => (each: readonly TestResource[]) => each.filter(test)
const hasStatus = (...statuses: readonly string[]) =>
  only((each) => !isObservation(each) || statuses.includes(String(each['status'])))

const CASES: Readonly<Record<string, Case>> = {
  'no parameter': { pairs: [], keeps: all },
  '_outputFormat=application/fhir+ndjson': {
    pairs: [['_outputFormat', 'application/fhir+ndjson']],
    keeps: all,
  },
  '_outputFormat=application/ndjson': { pairs: [['_outputFormat', 'application/ndjson']], keeps: all },
  '_outputFormat=ndjson': { pairs: [['_outputFormat', 'ndjson']], keeps: all },
  '_outputFormat of another kind': { pairs: [['_outputFormat', 'application/xml']] },
  _since: { pairs: [['_since', at(3)]], keeps: only((each) => dayOf(each) > 3) },
  '_since of no time': { pairs: [['_since', 'yesterday']] },
  _until: { pairs: [['_until', at(8)]], keeps: only((each) => dayOf(each) < 8) },
  _till: { pairs: [['_till', at(8)]], keeps: only((each) => dayOf(each) < 8) },
  '_until of no time': { pairs: [['_until', '2024']] },
  '_type, a list': {
    pairs: [['_type', 'Patient,Observation']],
    keeps: only((each) => /^(P.*nt|O.*vation)$/.test(each.resourceType)),
  },
  '_type, repeated': {
    pairs: [
      ['_type', 'Patient'],
      ['_type', 'Group'],
    ],
    keeps: only((each) => /^(Patient|Group)$/.test(each.resourceType)),
  },
  '_type that there is not': {
    pairs: [['_type', 'Patient,Nonsense']],
    keeps: only(isA('Patient')),
    unsupported: true,
  },
  _typeFilter: { pairs: [['_typeFilter', 'Observation?status=final']], keeps: hasStatus('final') },
  '_typeFilter with a comma in it': {
    pairs: [['_typeFilter', 'Observation?status=final,amended']],
    keeps: hasStatus('final', 'amended'),
  },
  '_typeFilter, a list': {
    pairs: [['_typeFilter', 'Observation?status=final,Observation?status=cancelled']],
    keeps: hasStatus('final', 'cancelled'),
  },
  '_typefilter, repeated': {
    pairs: [
      ['_typefilter', 'Observation?status=final'],
      ['_typefilter', 'Observation?status=amended'],
    ],
    keeps: hasStatus('final', 'amended'),
  },
  '_typeFilter that cannot be searched': {
    pairs: [['_typeFilter', 'Observation?nonsense=1']],
    keeps: all,
    unsupported: true,
  },
  _elements: {
    pairs: [
      ['_elements', 'Patient.birthDate'],
      ['_elements', 'Observation.code'],
    ],
    keeps: all,
  },
  '_elements that there are not': {
    pairs: [['_elements', 'Patient.nonsense']],
    keeps: all,
    unsupported: true,
  },
  'includeAssociatedData=LatestProvenanceResources': {
    pairs: [['includeAssociatedData', 'LatestProvenanceResources']],
    keeps: (each) => withProvenance(each, 'latest'),
  },
  'includeAssociatedData=RelevantProvenanceResources': {
    pairs: [['includeAssociatedData', 'RelevantProvenanceResources']],
    keeps: (each) => withProvenance(each, 'all'),
  },
  'includeAssociatedData, both': {
    pairs: [['includeAssociatedData', 'RelevantProvenanceResources,LatestProvenanceResources']],
    keeps: (each) => withProvenance(each, 'all'),
  },
  'includeAssociatedData of another kind': {
    pairs: [['includeAssociatedData', '_custom']],
    keeps: all,
    unsupported: true,
  },
  'allowPartialManifests=true': { pairs: [['allowPartialManifests', 'true']], keeps: all },
  'allowPartialManifests of no truth': { pairs: [['allowPartialManifests', 'maybe']] },
  organizeOutputBy: { pairs: [['organizeOutputBy', 'Patient']], keeps: all, unsupported: true },
  _container: { pairs: [['_container', 'exports']], keeps: all, unsupported: true },
  'a name of a client': { pairs: [['x-trace', '1']], keeps: all, unsupported: true },
  'patient, by POST': {
    ...{ pairs: [['patient', 'Patient/p1']], levels: ['patient', 'group'], ways: ['POST'] },
    keeps: only((each) => compartmentsOf(each).has('p1') || targetedBy(each, 'Observation/p1-o0')),
  },
  'patient who is not there, by POST': {
    ...{
      pairs: [
        ['patient', 'Patient/p1'],
        ['patient', 'Patient/nobody'],
      ],
      levels: ['patient', 'group'],
      ways: ['POST'],
    },
    keeps: only((each) => compartmentsOf(each).has('p1') || targetedBy(each, 'Observation/p1-o0')),
    unsupported: true,
  },
  'patient, by GET': { pairs: [['patient', 'Patient/p1']], levels: ['patient', 'group'], ways: ['GET'] },
  'patient of the whole system': { pairs: [['patient', 'Patient/p1']], levels: ['system'] },
}

function targetedBy(each: TestResource, name: string): boolean {
  return isProvenance(each) && targetsOf(each).includes(name)
}

describe('each parameter, at each level, by each method, strict and lenient [QP-01 QP-03 QP-04]', () => {
  testAll({ streams: false, allWays: WAYS, handlings: HANDLINGS })
})

describe('each parameter, at each level, read as streams', () => {
  testAll({ streams: true, allWays: ['POST'], handlings: ['lenient'] })
})

interface Tested {
  /** Whether the services of the host stream. */
  readonly streams: boolean
  readonly allWays: readonly Way[]
  readonly handlings: readonly (typeof HANDLINGS)[number][]
}

function testAll({ streams, allWays, handlings }: Tested): void {
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    host = await startHost(database, { resources: RESOURCES, streams, options: { minPollInterval: 0 } })
  })
  after(() => host.close())

  async function kickOff(level: Level, way: Way, handling: string, pairs: Pairs): Promise<Response> {
    const headers = { Accept: 'application/fhir+json', Prefer: `respond-async, handling=${handling}` }
    const url = `${host.base}/${PATHS[level]}`
    if (way === 'GET') {
      const query = new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))
      return fetch(`${url}?${query}`, { headers })
    }
    const body = JSON.stringify({ resourceType: 'Parameters', parameter: pairs.map(toEntry) })
    return fetch(url, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/fhir+json' },
      body,
    })
  }

  for (const [what, { pairs, keeps, unsupported = false, levels = LEVELS, ways = WAYS }] of Object.entries(
    CASES,
  )) {
    for (const level of levels) {
      it(`${what}, at ${level} level`, async () => {
        for (const way of ways.filter((each) => allWays.includes(each))) {
          for (const handling of handlings) {
            const how = `${way}, ${handling}`
            const answer = await kickOff(level, way, handling, pairs)
            if (keeps === undefined || (unsupported && handling === 'strict')) {
              expect(answer.status, how).to.be.oneOf([400, 422])
              const { resourceType, issue } = (await answer.json()) as {
                resourceType: string
                issue: unknown
              }
              expect(resourceType, how).to.equal('OperationOutcome')
              expect(JSON.stringify(issue), how).to.include(pairs[0]?.[0].replace('_till', '_until'))
              continue
            }
            expect(answer.status, how).to.equal(202)
            const manifest = await host.manifest(answer.headers.get('content-location') as string)
            const found = [...(await host.resources(manifest)).values()].flat()
            expect(found.map(nameOf).sort(), how).to.deep.equal(keeps(everythingAt(level)).map(nameOf).sort())
            expect(manifest.error.length, how).to.equal(unsupported ? 1 : 0)
          }
        }
      })
    }
  }
}

/** In the types that the guide's OperationDefinition has. */
function toEntry([name, value]: readonly [string, string]): object {
  if (/^_(since|until|till)$/.test(name)) return { name, valueInstant: value }
  if (name === 'patient') return { name, valueReference: { reference: value } }
  if (name === 'includeAssociatedData') return { name, valueCode: value }
  if (name === 'allowPartialManifests' && value !== 'maybe') return { name, valueBoolean: value === 'true' }
  return { name, valueString: value }
}
