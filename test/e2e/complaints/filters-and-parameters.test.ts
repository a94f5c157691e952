import { expect } from 'chai'
import type { Document } from 'mongodb'
import { startHost, store, type TestHost, type TestResource, useHost } from '../../support/export-host.js'
import { issuesOf, outputNames } from '../../support/manifest-files.js'
import { useDatabase, useSuiteDatabase } from '../../support/mongodb.js'
import { exportOf, nameOf, type Pair, send } from '../../support/provenance.js'

// What users of other servers have complained about. Each test is named after the thread in their tracker.

const LOINC = 'http://loinc.org'
const WAYS = ['GET', 'POST'] as const

interface Observed extends TestResource {
  readonly status: string
  readonly code: { readonly coding: readonly { readonly system?: string; readonly code: string }[] }
  readonly effectiveDateTime: string
  readonly identifier: readonly { readonly system: string; readonly value: string }[]
}

/** Values with what separates, escapes or encodes something somewhere. */
const VALUES = [
  'a',
  'b',
  'a,b',
  'a%2Cb',
  'a&b',
  'a=b',
  'a+b',
  'a b',
  'a|b',
  'a?b',
  'a#b',
  'a;b',
  'a\\b',
  'ü€😀',
]
const CODES = [
  { system: LOINC, code: '8480-6' },
  { system: LOINC, code: '8462-4' },
  { system: LOINC, code: '8867-4' },
  { system: 'urn:other', code: '8480-6' },
  { code: 'local' },
]
const OBSERVATIONS = VALUES.map(
  (value, index): Observed => ({
    ...{ resourceType: 'Observation', id: `o${index}`, identifier: [{ system: 'urn:x', value }] },
    status: ['final', 'amended', 'cancelled'][index % 3] as string,
    code: { coding: [CODES[index % CODES.length] as { code: string }] },
    // Half an hour apart, from 22:00 UTC on.
    effectiveDateTime: new Date(Date.UTC(2023, 11, 31, 20, 30 * index)).toISOString(),
  }),
)
const ORGANIZATIONS = ['A&B', 'A', 'A,B', '100%', '100%25'].map((name, index) => {
  return { resourceType: 'Organization', id: `g${index}`, name }
})

const isCode =
  (...wanted: readonly string[]) =>
  ({ code }: Observed) =>
    code.coding.some((each) => wanted.includes(`${each.system ?? ''}|${each.code}`))
const isStatus =
  (...wanted: readonly string[]) =>
  ({ status }: Observed) =>
    wanted.includes(status)
const isValue =
  (...wanted: readonly string[]) =>
  ({ identifier }: Observed) =>
    identifier.some(({ value }) => wanted.includes(value))
const isFrom =
  (time: string) =>
  ({ effectiveDateTime }: Observed) =>
    Date.parse(effectiveDateTime) >= Date.parse(time)

/** A filter, as it stands in a body, and which observations it lets through. */
const FILTERS: readonly (readonly [filter: string, passes: (each: Observed) => boolean])[] = [
  ['status=final,amended', isStatus('final', 'amended')],
  ['status=final%2Camended', isStatus('final', 'amended')],
  [`code=${LOINC}|8480-6,${LOINC}|8462-4`, isCode(`${LOINC}|8480-6`, `${LOINC}|8462-4`)],
  [
    `code=${encodeURIComponent(`${LOINC}|8480-6,${LOINC}|8462-4`)}`,
    isCode(`${LOINC}|8480-6`, `${LOINC}|8462-4`),
  ],
  ['code=8480-6,|local', isCode(`${LOINC}|8480-6`, 'urn:other|8480-6', '|local')],
  [`code=${LOINC}|`, isCode(`${LOINC}|8480-6`, `${LOINC}|8462-4`, `${LOINC}|8867-4`)],
  [
    `status=final&code=${LOINC}|8480-6,|local`,
    (each) => isStatus('final')(each) && isCode(`${LOINC}|8480-6`, '|local')(each),
  ],
  ['identifier=urn:x|a,urn:x|b', isValue('a', 'b')],
  ['identifier=urn:x|a\\,b', isValue('a,b')],
  ['identifier=urn:x|a%5C%2Cb', isValue('a,b')],
  ['identifier=urn:x|a%252Cb', isValue('a%2Cb')],
  ['identifier=urn:x|a%26b', isValue('a&b')],
  ['identifier=urn:x|a=b', isValue('a=b')],
  ['identifier=urn:x|a%3Db', isValue('a=b')],
  ['identifier=urn:x|a+b', isValue('a+b')],
  ['identifier=urn:x|a%2Bb', isValue('a+b')],
  ['identifier=urn:x|a b', isValue('a b')],
  ['identifier=urn:x|a%20b', isValue('a b')],
  ['identifier=urn:x|a\\|b', isValue('a|b')],
  ['identifier=urn:x|a?b', isValue('a?b')],
  ['identifier=urn:x|a%23b', isValue('a#b')],
  ['identifier=urn:x|a;b', isValue('a;b')],
  ['identifier=urn:x|a\\\\b', isValue('a\\b')],
  ['identifier=urn:x|ü€😀', isValue('ü€😀')],
  ['identifier=urn:x|Observation,urn:x|a', isValue('a')],
  ['identifier=Observation,Patient,urn:x|b', isValue('b')],
  ['date=ge2024-01-01T00:00:00+02:00', isFrom('2023-12-31T22:00:00Z')],
  ['date=ge2024-01-01T00:00:00%2B02:00', isFrom('2023-12-31T22:00:00Z')],
  ['date=ge2024-01-01T00:00:00Z', isFrom('2024-01-01T00:00:00Z')],
]

describe('complaints about filters', () => {
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    host = await startHost(database, { resources: [...OBSERVATIONS, ...ORGANIZATIONS] })
  })
  after('close the host', () => host?.close())
  const passing = (passes: (each: Observed) => boolean) => OBSERVATIONS.filter(passes).map(nameOf).sort()
  const filtered = async (filter: string, way: 'GET' | 'POST', type = 'Observation') => {
    const pairs: readonly Pair[] = [
      ['_type', type],
      ['_typeFilter', filter],
    ]
    const { names, manifest } = await exportOf(host, '$export', { pairs, way })
    expect(manifest.error).to.deep.equal([])
    return names
  }

  for (const [filter, passes] of FILTERS) {
    it(`microsoft/fhir-server#1780: a filter is never cut in two, nor decoded twice: ${filter} [QP-40 QP-43]`, async () => {
      const wanted = passing(passes)
      expect(wanted.length, 'the test itself').to.be.within(1, OBSERVATIONS.length - 1)
      const found = await Promise.all(WAYS.map((way) => filtered(`Observation?${filter}`, way)))
      expect(found).to.deep.equal([wanted, wanted])
    })
  }

  it('microsoft/fhir-server#1780: of several filters with commas none loses its values to another [QP-41 QP-42]', async () => {
    const [first, second] = [
      `Observation?code=${LOINC}|8480-6,|local`,
      'Observation?identifier=urn:x|a\\,b,b',
    ]
    const wanted = passing((each) => isCode(`${LOINC}|8480-6`, '|local')(each) || isValue('a,b', 'b')(each))
    const repeated: readonly Pair[] = [first, second].map((filter): Pair => ['_typeFilter', filter])
    const joined: readonly Pair[] = [['_typeFilter', `${first},${second}`]]
    for (const way of WAYS) {
      for (const filters of [repeated, joined]) {
        const pairs: readonly Pair[] = [['_type', 'Observation'], ...filters]
        expect((await exportOf(host, '$export', { pairs, way })).names, way).to.deep.equal(wanted)
      }
    }
  })

  const names: readonly (readonly [filter: string, name: string])[] = [
    ['A%26B', 'A&B'],
    ['A\\,B', 'A,B'],
    ['100%2525', '100%25'],
  ]
  for (const [filter, name] of names) {
    it(`microsoft/fhir-server#1780: text in a filter is never cut, nor decoded twice: ${filter} [QP-40]`, async () => {
      const wanted = ORGANIZATIONS.filter((each) => each.name === name).map(nameOf)
      for (const way of WAYS) {
        expect(await filtered(`Organization?name:exact=${filter}`, way, 'Organization'), way).to.deep.equal(
          wanted,
        )
      }
    })
  }

  it('microsoft/fhir-server#1780: a filter written into the URL by hand is never taken for another one', async () => {
    const byHand = async (filter: string) => {
      const response = await fetch(`${host.base}/$export?_type=Observation&_typeFilter=Observation?${filter}`)
      if (response.status !== 202) {
        expect(response.status, await response.text()).to.equal(400)
        return 'refused'
      }
      return outputNames(await host.manifest(String(response.headers.get('content-location'))))
    }
    expect(await byHand('status=final,amended')).to.deep.equal(passing(isStatus('final', 'amended')))
    expect(await byHand(`code=${LOINC}|8480-6,|local`)).to.deep.equal(
      passing(isCode(`${LOINC}|8480-6`, '|local')),
    )
    expect(await byHand('identifier=urn:x|a=b')).to.deep.equal(passing(isValue('a=b')))
    // A form reads `+` as a space, so that nobody can tell what was meant: either way, but nothing else.
    expect(await byHand('date=ge2024-01-01T00:00:00+02:00')).to.be.deep.oneOf([
      ...['refused', passing(isFrom('2023-12-31T22:00:00Z'))],
    ])
  })
})

/** What a job is, but for its id, its times, the words in which it was asked for, and what is noted after the answer. */
function essence({ _id, transactionTime, requestUrl, folder, placed, ...job }: Document): Document {
  expect(transactionTime).to.be.instanceOf(Date)
  expect([typeof _id, typeof requestUrl]).to.deep.equal(['string', 'string'])
  const { headers, ...caller } = JSON.parse(job['caller'])
  expect(headers).to.be.an('object')
  return { ...job, caller }
}

describe('complaints about parameters', () => {
  const LENIENT = { Prefer: 'respond-async, handling=lenient' }
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    const member = [{ entity: { reference: 'Patient/p1' } }]
    const resources = [
      { resourceType: 'Patient', id: 'p1' },
      { resourceType: 'Group', id: 'g', type: 'person', actual: true, member },
    ]
    // Nobody works on the jobs, so that they stay as they were taken in.
    const options = { workers: 0 }
    host = await startHost(database, { resources, types: ['Observation', 'Provenance'], options })
  })
  after('close the host', () => host?.close())

  const accepted = async (response: Response) => {
    expect(response.status, await response.text()).to.equal(202)
    const id = String(response.headers.get('content-location')).split('/').at(-1) as string
    const job = await database.db.collection<{ _id: string }>('bulkexport.jobs').findOne({ _id: id })
    return essence(job as Document)
  }
  const when = '2024-01-01T02:00:00.5+02:00'
  const cases: readonly (readonly [pairs: readonly Pair[], makes: 'no difference' | readonly string[]])[] = [
    [[['_outputFormat', 'application/fhir+ndjson']], 'no difference'],
    [[['allowPartialManifests', 'true']], 'no difference'],
    [[['_since', when]], ['since', 'listsDeleted']],
    [[['_until', when]], ['before']],
    [[['_till', when]], ['before']],
    [[['_type', 'Patient,Observation']], ['types']],
    [
      [
        ['_type', 'Patient'],
        ['_type', 'Observation'],
      ],
      ['types'],
    ],
    [[['_typeFilter', 'Observation?code=a,b&status=final']], ['filters']],
    [
      [
        ['_typeFilter', 'Observation?code=a%2Cb'],
        ['_typefilter', 'Patient?birthdate=ge2000-01-01T00:00:00+01:00'],
      ],
      ['filters'],
    ],
    [[['_elements', 'Patient.name,id']], ['elements']],
    [[['includeAssociatedData', 'LatestProvenanceResources']], ['provenance']],
    [
      [
        ['_unknown', 'x'],
        ['_type', 'Patient,Nope'],
        ['_typeFilter', 'Patient?nope=1'],
      ],
      ['types', 'notes'],
    ],
  ]
  for (const path of ['$export', 'Patient/$export', 'Group/g/$export']) {
    for (const [pairs, makes] of cases) {
      it(`hapifhir/hapi-fhir#7304: by GET nothing is passed over that counts by POST: ${path}?${pairs.map((pair) => pair.join('=')).join('&')} [KO-02 KO-03]`, async () => {
        const headers = LENIENT
        const [byGet, byPost, without] = await Promise.all([
          send(host, path, { pairs, headers }).then(accepted),
          send(host, path, { pairs, headers, way: 'POST' }).then(accepted),
          send(host, path, { headers }).then(accepted),
        ])
        expect(byPost).to.deep.equal(byGet)
        if (makes === 'no difference') expect(byGet).to.deep.equal(without)
        else {
          const { fingerprint: _one, ...narrowed } = byGet
          expect(narrowed).to.include.keys(makes)
          for (const name of makes) expect(narrowed[name], name).not.to.deep.equal(without[name])
        }
      })
    }
  }

  it('hapifhir/hapi-fhir#7304: the query of a POST is never passed over for its body', async () => {
    const type: Pair = ['_type', 'Observation']
    const filter: Pair = ['_typeFilter', 'Observation?code=a,b']
    const whole = await accepted(await send(host, '$export', { pairs: [type, filter] }))
    const halves = await send(host, `$export?${type.join('=')}`, { pairs: [filter], way: 'POST' })
    expect(await accepted(halves)).to.deep.equal(whole)
  })
})

describe('complaints about answers that were kept', () => {
  const first = { resourceType: 'Patient', id: 'p1' }
  const database = useDatabase()
  const test = useHost(database, () => ({ resources: [first] }))

  for (const way of WAYS) {
    it(`hapifhir/hapi-fhir#4013, hapifhir/hapi-fhir#3911, microsoft/fhir-server#2648: the same request never gets the old result again, by ${way}`, async () => {
      const { host } = test
      const begin = async () => {
        const response = await send(host, '$export', { way, pairs: [['_type', 'Patient']] })
        return String(response.headers.get('content-location'))
      }
      const [one, other] = await Promise.all([begin(), begin()])
      expect(one).not.to.equal(other)
      const before = await Promise.all([host.manifest(one), host.manifest(other)])
      await store(database, [{ resourceType: 'Patient', id: 'p2' }])
      const after = await host.manifest(await begin())
      expect(await outputNames(after)).to.deep.equal(['Patient/p1', 'Patient/p2'])
      expect(Date.parse(after.transactionTime)).to.be.above(Date.parse(before[0].transactionTime))
      for (const manifest of before) {
        expect(await outputNames(manifest), 'the results before').to.deep.equal(['Patient/p1'])
        expect(await issuesOf(manifest)).to.deep.equal([])
      }
      const urls = [...before, after].flatMap(({ output }) => output.map(({ url }) => url))
      expect(new Set(urls)).to.have.length(3)
    })
  }
})
