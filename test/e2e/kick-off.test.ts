import { expect } from 'chai'
import type { Manifest } from '../../plugin/index.js'
import { startHost, store, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { type TestDatabase, useSuiteDatabase } from '../support/mongodb.js'
import { type Asked, ask, type Headers } from '../support/raw-http.js'

/** What the record has of a job, as far as these tests look at it. */
interface StoredJob {
  readonly _id: string
  readonly status: string
  readonly level: string
  readonly groupId?: string
  readonly types: readonly string[]
  readonly since?: Date
}

const TYPES = ['Group', 'Observation', 'Organization', 'Patient']
const COMPARTMENT_TYPES = ['Group', 'Observation', 'Patient']
const LEVELS: readonly (readonly [level: string, path: string])[] = [
  ['system', '$export'],
  ['patient', 'Patient/$export'],
  ['group', 'Group/g/$export'],
]
const JSON_TYPES = ['application/json', 'application/fhir+json', 'application/json+fhir']
const POST: Asked = { method: 'POST' }
const postWith = (headers: Headers): Asked => ({ ...POST, headers })
const LENIENT: Headers = { Prefer: 'respond-async, handling=lenient' }

describe('a kick-off', () => {
  const database = useSuiteDatabase()
  const resources = [groupOf('g', 'p1'), { resourceType: 'Patient', id: 'p1' }]
  const waiting = useSuiteHost(database, { resources, types: TYPES, options: { workers: 0 } })

  /** Asks, demands 202 as the guide has it, and gives the stored job. */
  async function expectAccepted(path: string, asked: Asked = {}): Promise<StoredJob> {
    const { base } = waiting.host
    const { status, headers, text } = await ask(`${base}/${path}`, asked)
    expect([status, text], path).to.deep.equal([202, ''])
    const location = String(headers['content-location'])
    expect(location.slice(0, base.length + 9)).to.equal(`${base}/$export/`)
    const id = location.slice(base.length + 9)
    expect(id).to.match(/^[0-9a-f]{32}$/)
    const job = await database.db.collection<StoredJob>('bulkexport.jobs').findOne({ _id: id })
    expect(job).to.include({ _id: id, status: 'accepted' })
    return job as StoredJob
  }

  for (const [level, path] of LEVELS) {
    describe(`at ${level} level [KO-01 KO-09 KO-10 KO-11]`, () => {
      const everything = level === 'system' ? TYPES : COMPARTMENT_TYPES

      const plain: readonly (readonly [what: string, path: string, asked: Asked])[] = [
        ['by GET [KO-02]', path, {}],
        ['with the dollar sign encoded', path.replace('$', '%24'), {}],
        ['with the dollar sign encoded, by POST', path.replace('$', '%24'), POST],
        ['with a slash at the end', `${path}/`, {}],
        ['with parameters about the form of answers', `${path}?_format=json&_pretty=true`, {}],
        ['by POST without a body', path, POST],
        ['by POST without a body, but with a type', path, postWith({ 'Content-Type': 'text/xml' })],
        ['by POST with an empty body in chunks', path, postWith({ 'Transfer-Encoding': 'chunked' })],
        ...JSON_TYPES.flatMap((type): [string, string, Asked][] => [
          [`by POST of ${type} [KO-03]`, path, post([], type)],
          [`by POST of ${type} with a charset`, path, post([], `${type}; charset=utf-8`)],
          [`by POST of ${type} without parameter [KO-04]`, path, post(undefined, type)],
        ]),
      ]
      for (const [what, url, asked] of plain) {
        it(what, async () => {
          const job = await expectAccepted(url, asked)
          expect(job).to.deep.include({ level, types: everything })
          expect(job.groupId).to.equal(level === 'group' ? 'g' : undefined)
          expect(job.since).to.equal(undefined)
        })
      }

      const formats = ['application/fhir+ndjson', 'application/ndjson', 'ndjson']
      for (const value of [...formats, 'application%2Ffhir%2Bndjson', 'application%2fndjson', 'NDJSON']) {
        it(`_outputFormat=${value} [QP-10]`, async () => {
          await expectAccepted(`${path}?_outputFormat=${value}`)
          await expectAccepted(`${path}?_outputFormat=${value}`, POST)
          const valueString = decodeURIComponent(value)
          await expectAccepted(path, post([{ name: '_outputFormat', valueString }]))
        })
      }

      const types: readonly (readonly [what: string, query: string, asked?: Asked])[] = [
        ['in one value [QP-01]', '?_type=Patient,Observation'],
        ['in one value, with the comma encoded', '?_type=Patient%2CObservation'],
        ['in one value, with a space', '?_type=Patient,%20Observation'],
        ['repeated [QP-01]', '?_type=Patient&_type=Observation'],
        ['repeated, one of them twice', '?_type=Patient&_type=Observation,Patient'],
        ['in the query of a POST', '?_type=Patient&_type=Observation', POST],
        ['in one entry', '', post([{ name: '_type', valueString: 'Patient,Observation' }])],
        [
          'in two entries [QP-03]',
          '',
          post([typeOf('valueString', 'Patient'), typeOf('valueCode', 'Observation')]),
        ],
        ['in the query and in the body', '?_type=Patient', post([typeOf('valueString', 'Observation')])],
        ['beside one outside the compartment', '?_type=Patient,Observation,Organization'],
        ['beside one that nobody knows, leniently', '?_type=Patient,Nope,Observation', { headers: LENIENT }],
      ]
      for (const [what, query, asked] of types) {
        it(`_type ${what}`, async () => {
          const job = await expectAccepted(path + query, asked)
          const outside = level === 'system' && query.includes('Organization') ? ['Organization'] : []
          expect(job.types).to.have.members(['Patient', 'Observation', ...outside])
        })
      }

      const instants: readonly (readonly [value: string, since: string])[] = [
        ['2024-01-31T10:00:00Z', '2024-01-31T10:00:00.000Z'],
        ['2024-01-31T10:00:00.5Z', '2024-01-31T10:00:00.500Z'],
        ['2024-01-31T10:00:00.123456789Z', '2024-01-31T10:00:00.123Z'],
        ['2024-01-31T10:00:00+02:00', '2024-01-31T08:00:00.000Z'],
        ['2024-01-31T10:00:00%2B02:00', '2024-01-31T08:00:00.000Z'],
        ['2024-01-31T10:00:00-02:30', '2024-01-31T12:30:00.000Z'],
        ['2024-02-29T00%3A00%3A00Z', '2024-02-29T00:00:00.000Z'],
      ]
      for (const [value, since] of instants) {
        it(`_since=${value} [QP-21]`, async () => {
          const inBody = post([{ name: '_since', valueInstant: decodeURIComponent(value) }])
          const inQuery = `${path}?_since=${value}`
          for (const job of [
            await expectAccepted(inQuery),
            await expectAccepted(inQuery, POST),
            await expectAccepted(path, inBody),
          ]) {
            expect(job.since?.toISOString()).to.equal(since)
          }
        })
      }

      const lenient = [
        'handling=lenient',
        'respond-async,HANDLING=lenient',
        'handling="lenient"; respond-async',
      ]
      for (const Prefer of lenient) {
        it(`with unknown parameters and Prefer: ${Prefer} [KO-07]`, async () => {
          const query = '?includeAssociatedData=x&_container=id&__proto__=1'
          expect((await expectAccepted(path + query, { headers: { Prefer } })).types).to.deep.equal(
            everything,
          )
          const inBody = post([{ name: 'organizeOutputBy', valueString: 'Patient' }])
          await expectAccepted(path + query, { ...inBody, headers: { ...inBody.headers, Prefer } })
        })
      }

      const json = 'application/fhir+json; charset=utf-8'
      const headers: readonly Headers[] = [
        ...['*/*', 'application/json', json, 'text/html, */*;q=0.8'].map((Accept) => ({ Accept })),
        ...['respond-async', 'return=minimal, wait=10'].map((Prefer) => ({ Prefer })),
        { Authorization: 'Bearer ' },
      ]
      for (const sent of [{}, ...headers]) {
        it(`without strictHeaders and with ${JSON.stringify(sent)} [KO-05 KO-06]`, async () => {
          await expectAccepted(path, { headers: sent })
          await expectAccepted(path, { ...POST, headers: sent })
        })
      }
    })
  }

  it('that leaves much out leniently writes no more than a line to the log', async () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `T${index}`).join(',')
    const asked = post([typeOf('valueString', `Patient,${names}`)])
    const { types, _id } = await expectAccepted('$export', {
      ...asked,
      headers: { ...asked.headers, ...LENIENT },
    })
    expect(types).to.deep.equal(['Patient'])
    const record = waiting.host.log.find(({ job, message }) => job === _id && message === 'job.accepted')
    expect(JSON.stringify(record).length).to.be.below(10_000)
  })
})

describe('a kick-off with strictHeaders [KO-05 KO-06]', () => {
  const strict = useSuiteHost(useSuiteDatabase(), {
    resources: [groupOf('g')],
    options: { workers: 0, strictHeaders: true },
  })
  const json = 'application/fhir+json'
  const right: readonly Headers[] = [
    { Accept: json, Prefer: 'respond-async' },
    { Accept: `${json};q=0.9, text/html`, Prefer: 'Respond-Async' },
    { Accept: 'APPLICATION/FHIR+JSON', Prefer: 'wait=5, respond-async; handling=lenient' },
  ]
  for (const headers of right) {
    it(`takes ${JSON.stringify(headers)}`, async () => {
      for (const [, path] of LEVELS) {
        for (const method of ['GET', 'POST']) {
          const { status, text } = await ask(`${strict.host.base}/${path}`, { method, headers })
          expect([status, text]).to.deep.equal([202, ''])
        }
      }
    })
  }
})

describe('the levels of a kick-off', () => {
  const database = useSuiteDatabase()
  for (const [only, onlyPath] of LEVELS) {
    describe(`with ${only} alone`, () => {
      const levels = [only as 'system']
      const some = useSuiteHost(database, { types: TYPES, options: { workers: 0, levels } })
      before(() => store(database, [{ ...groupOf('g'), id: `g-${only}` }]))

      it('has the others answered 404 as OperationOutcome [KO-01]', async () => {
        for (const [level, path] of LEVELS.filter(([level]) => level !== only)) {
          for (const asked of [{}, POST, post([])]) {
            const { status, headers, text } = await ask(`${some.host.base}/${path}`, asked)
            expect([status, headers['content-type']]).to.deep.equal([404, 'application/fhir+json'])
            const { resourceType, issue } = JSON.parse(text)
            expect([resourceType, issue[0].code]).to.deep.equal(['OperationOutcome', 'not-found'])
            expect(issue[0].diagnostics).to.include(level)
          }
        }
        const path = onlyPath.replace('/g/', `/g-${only}/`)
        expect((await ask(`${some.host.base}/${path}`, {})).status).to.equal(202)
      })
    })
  }
})

describe('a kick-off behind another URL', () => {
  const database = useSuiteDatabase()
  const resources = [{ resourceType: 'Patient', id: 'p1' }, groupOf('g', 'p1')]
  const baseUrl = 'https://fhir.example.org/r4/'
  const proxied = useSuiteHost(database, { resources, options: { baseUrl } })

  for (const [level, path] of LEVELS) {
    for (const asked of [{}, post([typeOf('valueString', 'Patient')])]) {
      it(`at ${level} level by ${asked.method ?? 'GET'} has baseUrl in all that it names [KO-10 MF-02 MF-06 MF-18]`, async () => {
        const { host } = proxied
        const base = 'https://fhir.example.org/r4/4_0_0'
        const here = (url: string) => url.replace(base, host.base)
        const query = '?_outputFormat=ndjson'
        const { headers } = await ask(`${host.base}/${path}${query}`, asked)
        const location = String(headers['content-location'])
        expect(location).to.match(/^https:\/\/fhir\.example\.org\/r4\/4_0_0\/\$export\/[0-9a-f]{32}$/)
        const manifest = await host.manifest(here(location))
        expect(manifest.request).to.equal(`${base}/${path}${query}`)
        expect(manifest.output).not.to.have.length(0)
        for (const { url } of manifest.output) {
          expect(url.startsWith(`${location}/`), url).to.equal(true)
          expect((await ask(here(url), {})).text.trim().split('\n')).to.have.length(1)
        }
      })
    }
  }
})

describe('the window of a kick-off', () => {
  const database = useSuiteDatabase()
  const SINCE = '2024-02-01T00:00:00Z'
  const future = new Date(Date.now() + 3_600_000).toISOString()
  const resources = [
    ...[groupOf('one', 'p1'), groupOf('both', 'p2', 'p1')],
    patient('p1', '2024-01-01T00:00:00Z'),
    patient('p2', '2024-03-01T00:00:00Z'),
    patient('p3', future),
    observation('old', 'p1', '2024-01-01T00:00:00Z'),
    observation('new', 'p1', '2024-03-01T00:00:00Z'),
    observation('new2', 'p2', '2024-03-01T00:00:00+01:00'),
    observation('future', 'p1', future),
    observation('at', 'p1', SINCE),
    observation('at-other-zone', 'p1', '2024-02-01T02:00:00+02:00'),
    observation('just-after', 'p1', '2024-02-01T00:00:00.001Z'),
    observation('just-after-other-zone', 'p1', '2024-01-31T23:00:00.001-01:00'),
    { ...observation('no-meta', 'p1', ''), meta: undefined },
    { ...observation('no-time', 'p2', ''), meta: { versionId: '1' } },
  ].map((resource) => JSON.parse(JSON.stringify(resource)) as object)
  const shared = useSuiteHost(database, { resources })

  const all = 'Group/both Group/one Patient/p1 Patient/p2 old new new2 at at-other-zone'
  const always = `${all} just-after just-after-other-zone no-meta no-time`
  const narrowed = 'new just-after just-after-other-zone'
  const cases: readonly (readonly [path: string, expected: string])[] = [
    ['$export', always],
    ['Patient/$export', always],
    ['Group/both/$export', always],
    [
      'Group/one/$export?_type=Patient,Observation',
      always.replace(/Group\S+ |Patient\/p2 |new2 | no-time/g, ''),
    ],
    [`$export?_type=Patient,Observation&_since=${SINCE}`, `Patient/p2 new2 ${narrowed}`],
    [`Patient/$export?_type=Patient,Observation&_since=${SINCE}`, `Patient/p2 new2 ${narrowed}`],
    // The patient has not changed, but is a member still: what is new about it counts.
    [`Group/one/$export?_type=Patient,Observation&_since=${SINCE}`, narrowed],
    [`Group/both/$export?_type=Patient,Observation&_since=${SINCE}`, `Patient/p2 new2 ${narrowed}`],
    [`Group/one/$export?_type=Patient&_since=${SINCE}`, ''],
    [`$export?_type=Patient,Observation&_since=2024-03-01T00:00:00.001Z`, ''],
  ]
  for (const [path, expected] of cases) {
    it(`${path} has ${expected === '' ? 'nothing' : expected}${path.includes('_since') ? ' [QP-20]' : ''}`, async () => {
      const { found } = await exported(path)
      // Whether a resource without a time is in a window is the choice of the search service.
      const certain = path.includes('_since') ? found.filter((id) => !id.startsWith('no-')) : found
      expect(certain).to.deep.equal(expected.split(' ').filter(Boolean).sort())
    })
  }

  it('has what only one of two references leads to', async () => {
    const both = {
      ...observation('no-time-2', 'p1/_history/1', ''),
      performer: [{ reference: 'Patient/p2' }],
    }
    await store(database, [{ ...both, meta: {} }])
    expect((await exported('Group/both/$export?_type=Observation')).found).to.include('no-time-2')
  })

  it('ends at the transaction time, where the next one begins [MF-01 QP-20 QP-34]', async () => {
    const first = await exported('$export?_type=Observation')
    const { transactionTime } = first.manifest
    expect(new Date(transactionTime).getTime()).to.be.closeTo(Date.now(), 60_000)
    const after = new Date(new Date(transactionTime).getTime() + 1).toISOString()
    await store(database, [observation('then', 'p1', transactionTime), observation('later', 'p1', after)])
    const next = await exported(`$export?_type=Observation&_since=${transactionTime}`)
    expect(next.found.filter((id) => !id.startsWith('no-'))).to.deep.equal(['later'])
    const group = await exported(`Group/one/$export?_type=Observation&_since=${transactionTime}`)
    expect(group.found.filter((id) => !id.startsWith('no-'))).to.deep.equal(['later'])
    const { found } = await exported('$export?_type=Observation')
    expect(found).to.deep.equal([...first.found, 'later', 'then'].sort())
  })

  /** Exports; the ids that come out, those of other types than Observation with their type. */
  async function exported(path: string): Promise<{ found: string[]; manifest: Manifest }> {
    const { host } = shared
    const { status, headers } = await ask(`${host.base}/${path}`, {})
    expect(status).to.equal(202)
    const manifest = await host.manifest(String(headers['content-location']))
    const resources = [...(await host.resources(manifest)).values()].flat()
    const found = resources.map(({ resourceType, id }) =>
      resourceType === 'Observation' ? String(id) : `${resourceType}/${id}`,
    )
    return { found: found.sort(), manifest }
  }
})

/** One host for all tests of a `describe`. */
function useSuiteHost(database: TestDatabase, options: TestHostOptions): { readonly host: TestHost } {
  let host: TestHost | undefined
  before('start a host', async () => {
    host = await startHost(database, options)
  })
  after('close the host', () => host?.close())
  return {
    get host() {
      return host as TestHost
    },
  }
}

function post(parameter: readonly object[] | undefined, type = 'application/fhir+json'): Asked {
  const body = JSON.stringify({ resourceType: 'Parameters', parameter })
  return { method: 'POST', body, headers: { 'Content-Type': type } }
}

function typeOf(value: string, type: string): object {
  return { name: '_type', [value]: type }
}

function groupOf(id: string, ...members: readonly string[]) {
  const member = members.map((patient) => ({ entity: { reference: `Patient/${patient}` } }))
  return { resourceType: 'Group', id, type: 'person', actual: true, member }
}

function patient(id: string, lastUpdated: string) {
  return { resourceType: 'Patient', id, meta: { lastUpdated } }
}

function observation(id: string, patient: string, lastUpdated: string) {
  const subject = { reference: `Patient/${patient}` }
  return { resourceType: 'Observation', id, meta: { lastUpdated }, status: 'final', code: {}, subject }
}
