import { expect } from 'chai'
import { population } from '../../scripts/population/index.js'
import { compartmentsOf } from '../support/compartment.js'
import { store, type TestHost, type TestResource, useHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const RESOURCES = [...population({ patients: 12 })] as unknown as readonly TestResource[]
const GROUP: TestResource = {
  ...{ resourceType: 'Group', id: 'ours', type: 'person', actual: true },
  member: ['p1', 'p2', 'p5', 'p10'].map((id) => ({ entity: { reference: `Patient/${id}` } })),
}
const isMember = (resource: TestResource) =>
  ['p1', 'p2', 'p5', 'p10'].some((id) => compartmentsOf(resource).has(id))

type Pairs = readonly (readonly [name: string, value: string])[]

/** Each parameter both ways; what `patient` needs is a POST. */
async function kickOff(
  host: TestHost,
  path: string,
  pairs: Pairs,
  way: 'GET' | 'POST',
  prefer = '',
): Promise<Response> {
  const headers = { Accept: 'application/fhir+json', Prefer: `respond-async${prefer}` }
  if (way === 'GET')
    return fetch(
      `${host.base}/${path}?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))}`,
      { headers },
    )
  const parameter = pairs.map(([name, value]) =>
    name === 'patient' ? { name, valueReference: { reference: value } } : { name, valueString: value },
  )
  return fetch(`${host.base}/${path}`, {
    ...{ method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' } },
    body: JSON.stringify({ resourceType: 'Parameters', parameter }),
  })
}

const LEVELS = [
  ['$export', () => true],
  ['Patient/$export', (resource) => compartmentsOf(resource).size > 0],
  ['Group/ours/$export', isMember],
] as readonly (readonly [string, (resource: TestResource) => boolean])[]

describe('the parameters of an export', () => {
  const database = useDatabase()
  const test = useHost(database, () => ({
    resources: [...RESOURCES, GROUP],
    options: { pageSize: 7, maxFileResources: 20 },
  }))
  const everything = [...RESOURCES, GROUP]

  async function exported(
    path: string,
    pairs: Pairs,
    way: 'GET' | 'POST',
    prefer = '',
  ): Promise<TestResource[]> {
    const { host } = test
    const response = await kickOff(host, path, pairs, way, prefer)
    expect(response.status, await response.clone().text()).to.equal(202)
    const manifest = await host.manifest(response.headers.get('content-location') as string)
    return [...(await host.resources(manifest)).values()].flat()
  }
  const idsOf = (resources: readonly TestResource[]) =>
    resources.map(({ resourceType, id }) => `${resourceType}/${id}`).sort()

  const is = (type: string) => (resource: TestResource) => resource.resourceType === type
  const hasStatus =
    (...values: readonly string[]) =>
    (resource: TestResource) =>
      values.includes(String(resource['status']))
  const filters: readonly (readonly [
    what: string,
    values: readonly string[],
    matches: (r: TestResource) => boolean,
  ])[] = [
    ['one query', ['Observation?status=final'], (r) => !is('Observation')(r) || hasStatus('final')(r)],
    [
      'a comma within a value',
      ['Encounter?status=finished,planned'],
      (r) => !is('Encounter')(r) || hasStatus('finished', 'planned')(r),
    ],
    [
      'two parameters, which both must match',
      ['Patient?gender=female&birthdate=lt1980-01-01'],
      (r) => !is('Patient')(r) || (r['gender'] === 'female' && String(r['birthDate']) < '1980'),
    ],
    [
      'overlapping queries, of which one must match',
      ['Patient?gender=female', 'Patient?birthdate=lt1980-01-01', 'Patient?gender=male'],
      () => true,
    ],
    [
      'a list of queries in one value',
      ['Patient?gender=female,Encounter?status=none'],
      (r) => (is('Patient')(r) ? r['gender'] === 'female' : !is('Encounter')(r)),
    ],
    [
      'a query for the patient',
      ['Observation?subject=Patient/p2'],
      (r) =>
        !is('Observation')(r) ||
        (r['subject'] as { reference?: string } | undefined)?.reference === 'Patient/p2',
    ],
  ]
  for (const [path, isInLevel] of LEVELS) {
    for (const [what, values, matches] of filters) {
      it(`${path} with _typeFilter of ${what} has what matches, and whole types beside it [QP-40 QP-42 QP-43${what.includes('queries') ? ' QP-41' : ''}]`, async () => {
        const expected = idsOf(everything.filter(isInLevel).filter(matches))
        for (const way of ['GET', 'POST'] as const) {
          const pairs = values.map((value) => ['_typeFilter', value] as const)
          expect(idsOf(await exported(path, pairs, way)), way).to.deep.equal(expected)
        }
      })
    }
  }

  it('_elements keeps what was asked for, what is mandatory, and says so in a tag [QP-50 QP-51 QP-52]', async () => {
    const asked = [
      ['_elements', 'Observation.value,Patient.name'],
      ['_elements', 'Patient.birthDate'],
      ['_type', 'Observation,Patient,Encounter'],
    ] as const
    for (const resource of await exported('$export', asked, 'GET')) {
      const stored = RESOURCES.find(
        ({ id, resourceType }) => id === resource.id && resourceType === resource.resourceType,
      )
      if (stored === undefined || is('Encounter')(resource)) {
        expect(resource).to.deep.equal(stored)
        continue
      }
      const kept = is('Patient')(resource) ? /^(name|_?birthDate)$/ : /^(value[A-Z]\w*|status|code)$/
      const always = /^(resourceType|id|meta|implicitRules|modifierExtension)$/
      const entries = Object.entries(stored).filter(([name]) => kept.test(name) || always.test(name))
      const { tag, ...meta } = resource['meta'] as { tag: unknown[] }
      expect({ ...resource, meta }).to.deep.equal(Object.fromEntries(entries))
      expect(tag).to.deep.equal([
        { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' },
      ])
    }
  })

  for (const name of ['_until', '_till']) {
    it(`${name} leaves out what was updated at that time or later [QP-26]`, async () => {
      const times = RESOURCES.map(({ meta }) => (meta as { lastUpdated: string }).lastUpdated).sort()
      const [since, until] = [times[50], times[200]] as [string, string]
      const isBetween = ({ meta }: TestResource) => {
        const { lastUpdated } = (meta ?? {}) as { lastUpdated?: string }
        return lastUpdated === undefined || (lastUpdated > since && lastUpdated < until)
      }
      const pairs = [
        ['_since', since],
        [name, until],
      ] as const
      const found = idsOf(await exported('$export', pairs, 'GET')).filter((id) => id !== 'Group/ours')
      expect(found).to.deep.equal(idsOf(RESOURCES.filter(isBetween)))
    })
  }

  describe('patient', () => {
    const of = (ids: readonly string[]) =>
      idsOf(everything.filter((r) => ids.some((id) => compartmentsOf(r).has(id))))
    const asked = (...ids: readonly string[]) => ids.map((id) => ['patient', id] as const)

    for (const path of ['Patient/$export', 'Group/ours/$export']) {
      it(`${path} has the compartments of the patients that are named, by any reference [QP-60 QP-64]`, async () => {
        const pairs = asked('Patient/p2', `${test.host.base}/Patient/p10`, 'Patient/p2')
        expect(idsOf(await exported(path, pairs, 'POST'))).to.deep.equal(of(['p2', 'p10']))
      })
      it(`${path} refuses patients that are not there, and leaves them out when lenient [QP-63]`, async () => {
        const pairs = asked(
          'Patient/p2',
          'Patient/nobody',
          ...(path.startsWith('Group') ? ['Patient/p3'] : []),
        )
        const refused = await kickOff(test.host, path, pairs, 'POST')
        expect([refused.status, await refused.text()].join()).to.match(/^422.*nobody/)
        expect(idsOf(await exported(path, pairs, 'POST', ', handling=lenient'))).to.deep.equal(of(['p2']))
        expect(await exported(path, asked('Patient/nobody'), 'POST', ', handling=lenient')).to.deep.equal([])
      })
    }

    for (const [path, way] of [
      ['$export', 'POST'],
      ['$export', 'GET'],
      ['Patient/$export', 'GET'],
    ] as const) {
      it(`is refused for ${way} of ${path}, lenient or not, since everyone would be exported [${path === '$export' ? 'QP-61' : 'QP-62'} ERR-03]`, async () => {
        for (const prefer of ['', ', handling=lenient']) {
          const refused = await kickOff(test.host, path, asked('Patient/p2'), way, prefer)
          expect(refused.status).to.equal(400)
        }
      })
    }
  })

  const refusals: readonly (readonly [name: string, value: string, says: RegExp])[] = [
    ['_typeFilter', 'Patient?nonsense=1', /nonsense/],
    ['_typeFilter', 'Patient?gender', /gender/],
    ['_typeFilter', 'Patient', /Patient/],
    ['_typeFilter', 'Nothing?x=1', /Nothing/],
    ['_typeFilter', 'Patient?_count=1', /_count/],
    ['_typeFilter', 'Patient?_sort:x=1', /_sort/],
    ['_typeFilter', 'Patient?organization.name=x', /organization/],
    ['_typeFilter', 'Observation?date=ge2020-01-01&date=lt2021-01-01', /date/],
    ['_elements', 'Patient.nonsense', /nonsense/],
    ['_elements', 'Patient.name.family', /name/],
    ['_elements', 'Nothing.id', /Nothing/],
  ]
  it('that cannot be met are refused by name, or left out when lenient [QP-44 QP-46 QP-48 QP-53]', async () => {
    for (const [name, value, says] of refusals) {
      for (const way of ['GET', 'POST'] as const) {
        const refused = await kickOff(test.host, '$export', [[name, value]], way)
        expect(refused.status, value).to.equal(400)
        expect(await refused.text()).to.match(says)
        const accepted = await kickOff(test.host, '$export', [[name, value]], way, ', handling=lenient')
        expect(accepted.status, value).to.equal(202)
        await test.host.client.remove(accepted.headers.get('content-location') as string)
      }
    }
  })

  it('_typeFilter takes a plus, a pipe and encoded characters as they are', async () => {
    const odd: TestResource = {
      ...{ resourceType: 'Observation', id: 'odd', status: 'final', subject: { reference: 'Patient/p1' } },
      code: { coding: [{ system: 'http://example.org/a+b', code: 'x&y=z' }] },
      effectiveDateTime: '2020-05-01T00:30:00+02:00',
    }
    await store(database, [odd])
    const base = [['_type', 'Observation']] as const
    for (const query of [
      'Observation?code=http://example.org/a+b|x%26y%3Dz',
      'Observation?date=2020-05-01T00:30:00+02:00',
      'Observation?date=2020-05-01T00%3A30%3A00%2B02%3A00',
    ]) {
      expect(idsOf(await exported('$export', [...base, ['_typeFilter', query]], 'GET')), query).to.deep.equal(
        ['Observation/odd'],
      )
    }
  })
})
