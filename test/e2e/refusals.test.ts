import { expect } from 'chai'
import fc from 'fast-check'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { type TestDatabase, useSuiteDatabase } from '../support/mongodb.js'
import { type Answer, type Asked, ask, type Headers } from '../support/raw-http.js'

type Parameters = readonly (readonly [name: string, value: string])[]

const GROUP = { resourceType: 'Group', type: 'person', actual: true }
const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Observation', id: 'o1', subject: { reference: 'Patient/p1' } },
  { resourceType: 'Organization', id: 'org' },
  { ...GROUP, id: 'g', member: [{ entity: { reference: 'Patient/p1' } }] },
  { ...GROUP, id: 'described', actual: false },
  { ...GROUP, id: 'modified', modifierExtension: [{ url: 'http://example.org/filter', valueBoolean: true }] },
]
const TYPES = ['Group', 'Observation', 'Organization', 'Patient']
const PATHS = ['$export', 'Patient/$export', 'Group/g/$export']
const JSON_TYPES = ['application/json', 'application/fhir+json', 'application/json+fhir']
const BODY_LIMIT = 64 * 1024

/** http://hl7.org/fhir/R4/valueset-issue-type.html */
const ISSUE_TYPES = `invalid structure required value invariant security login unknown expired forbidden
  suppressed processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid
  extension too-costly business-rule conflict transient lock-error no-store exception timeout incomplete
  throttled informational`.split(/\s+/)

describe('a kick-off that is refused [KO-12 ERR-01 ERR-15]', () => {
  const database = useSuiteDatabase()
  /** The one that is asked comes first. */
  const hosts: TestHost[] = []
  const options = { workers: 0, maxBodyBytes: BODY_LIMIT }
  useSuiteHost(hosts, database, { resources: RESOURCES, options })

  /** Asks, and demands this status, an OperationOutcome that says so, and that no job was stored. */
  async function expectRefusal(path: string, asked: Asked, status: number | string, says: RegExp) {
    const jobs = database.db.collection('bulkexport.jobs')
    const before = await jobs.countDocuments()
    const answer = await ask(`${hosts[0]?.base}/${path}`, asked)
    const what = `${asked.method ?? 'GET'} ${path.slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 300)}`
    expect(String(answer.status), what).to.match(new RegExp(`^${status}$`))
    expectOutcome(answer, says, what)
    expect(await jobs.countDocuments(), `jobs after ${what}`).to.equal(before)
    return answer
  }

  /** At each level. */
  async function expectRefusals(all: readonly Asked[], status: number | string, says: RegExp, paths = PATHS) {
    for (const path of paths) {
      for (const asked of all) await expectRefusal(path, asked, status, says)
    }
  }

  /** The same parameters by GET and by POST, in the query string and in the body. */
  async function expectParametersRefused(parameters: Parameters, says: RegExp, headers = {}, paths = PATHS) {
    const withQuery = paths.map((path) => path + queryOf(parameters))
    await expectRefusals([{ headers }, { headers, method: 'POST' }], 400, says, withQuery)
    if (parameters.some(([name]) => name === '')) return
    await expectRefusals([adding(headers, parametersBody(parameters))], 400, says, paths)
  }

  describe('for its parameters', () => {
    const formats = words('application/xml text/html fhir+ndjson ndjson,ndjson x-custom')
    const unsafe = [
      ...['', ...formats].map((value) => ['_outputFormat', value] as const),
      ...notInstants().map((value) => ['_since', value] as const),
    ]
    for (const [name, value] of unsafe) {
      it(`${name} ${JSON.stringify(value)}, lenient or not [${name === '_since' ? 'QP-21' : 'QP-12'} ERR-03]`, async () => {
        for (const headers of [{}, { Prefer: 'respond-async, handling=lenient' }]) {
          await expectParametersRefused([[name, value]], new RegExp(name), headers)
        }
      })
    }

    // Encounter is a type, but not one of this host.
    for (const value of words('Missing Encounter patient Patient,Missing Resource * __proto__ Patient;')) {
      it(`_type ${value} [KO-17 QP-33]`, () => expectParametersRefused([['_type', value]], /_type/))
    }

    for (const name of ['_since', '_outputFormat']) {
      it(`${name} given twice [QP-06]`, async () => {
        const one = [name, name === '_since' ? '2024-01-31T00:00:00Z' : 'ndjson'] as const
        await expectParametersRefused([one, one], new RegExp(name))
        await expectRefusal(`$export${queryOf([one])}`, parametersBody([one]), 400, new RegExp(name))
      })
    }

    for (const name of unknownParameters()) {
      const shown = JSON.stringify(name.slice(0, 30)).slice(1, -1)
      it(`the unknown parameter "${shown}" [QP-04 QP-07]`, () =>
        expectParametersRefused([[name, 'x']], new RegExp(shown.replaceAll(/\W/g, '\\$&'))))
    }

    it('every fault is told, not only the first', async () => {
      const { text } = await expectRefusal('$export?_type=Nope&_since=Nope&nope=1', {}, 400, /_since/)
      expect(JSON.parse(text).issue).to.have.length(3)
    })

    it('types outside the compartment only, where there is one [QP-33]', () =>
      expectParametersRefused([['_type', 'Organization']], /types asked for/, {}, PATHS.slice(1)))

    it('lenient handling that leaves no type', () =>
      expectParametersRefused([['_type', 'Nope']], /types asked for/, { Prefer: 'handling=lenient' }))

    it('values of thousands of characters, with an answer that does not repeat them', async () => {
      for (const name of ['_type', '_since', '_outputFormat', 'x']) {
        for (const path of PATHS) {
          const long = 'x'.repeat(8000)
          const says = new RegExp(name)
          const inUrl = await expectRefusal(`${path}?${name}=${long}`, {}, 400, says)
          const inBody = await expectRefusal(path, parametersBody([[name, long.repeat(7)]]), 400, says)
          expect(Math.max(inUrl.text.length, inBody.text.length)).to.be.below(1000)
        }
      }
    })

    it('thousands of faults, with an answer of bearable length', async () => {
      const names = Array.from({ length: 9000 }, (_, index) => `T${index}`)
      const types = parametersBody([['_type', names.join(',')]])
      const unknown = parametersBody(names.slice(0, 1200).map((name) => [name, '']))
      for (const asked of [types, unknown]) {
        expect((await expectRefusal('$export', asked, 400, /T0/)).text.length).to.be.below(2 * BODY_LIMIT)
      }
    })

    for (const garbage of words('_type=%E0%A4%A _since=% %E0%A4%A=1 _type=%00 a%ZZ=%ff&_type=%c3%28')) {
      const paths = PATHS.map((path) => `${path}?${garbage}`)
      it(`the query ${garbage}`, () => expectRefusals([{}, { method: 'POST' }], 400, /"|_since/, paths))
    }
  })

  describe('for its body [KO-04]', () => {
    const bad: readonly (readonly [what: string, body: string, says: RegExp])[] = [
      ['cut off', '{"resourceType":"Parameters"', /JSON/],
      ['of words', 'export everything', /JSON/],
      ['of spaces', '   ', /JSON/],
      ['that is an array', '[]', /Parameters/],
      ['that is a string', '"Parameters"', /Parameters/],
      ['that is null', 'null', /Parameters/],
      ['that is true', 'true', /Parameters/],
      ['that is an empty object', '{}', /Parameters/],
      ['that is a Patient', '{"resourceType":"Patient"}', /Parameters.*Patient/],
      ['with Parameters in its prototype', '{"__proto__":{"resourceType":"Parameters"}}', /Parameters/],
      ['whose parameter is an object', '{"resourceType":"Parameters","parameter":{}}', /parameter/],
      ['whose parameter is a string', '{"resourceType":"Parameters","parameter":"_type"}', /parameter/],
      ['with an entry that is null', entries(null), /parameter\[0\]/],
      ['with an entry that is a string', entries('_type'), /parameter\[0\]/],
      ['with an entry without name', entries({ valueString: 'Patient' }), /parameter\[0\].*name/],
      ['with an empty name', entries({ name: '', valueString: 'Patient' }), /parameter\[0\].*name/],
      ['with a name that is no string', entries({ name: 1, valueString: 'Patient' }), /parameter\[0\].*name/],
      ['with an entry without value', entries({ name: '_type' }), /_type.*value/],
      ['with a resource as value', entries({ name: '_type', resource: {} }), /_type.*value/],
      ['with parts', entries({ name: '_type', part: [{ name: 'a', valueString: 'b' }] }), /_type.*value/],
      ['with two values', entries({ name: '_type', valueString: 'a', valueCode: 'a' }), /_type.*value/],
      ['with a value of null', entries({ name: '_type', valueString: null }), /_type.*value/],
      ['with a list as value', entries({ name: '_type', valueString: ['Patient'] }), /_type.*value/],
      ['with an object as value', entries({ name: '_type', valueString: {} }), /_type.*value/],
      ['with one wrong entry', entries({ name: '_type', valueCode: 'Patient' }, {}), /parameter\[1\]/],
      ['with the parameter __proto__', entries({ name: '__proto__', valueString: 'x' }), /__proto__/],
      ['with NUL in a value', entries({ name: '_type', valueString: '\0' }), /_type/],
      ['with half a surrogate pair', entries({ name: '\ud83d', valueString: '\ud83d' }), /./],
    ]
    for (const [what, body, says] of bad) {
      const all = JSON_TYPES.map((type) => post(body, type))
      it(what, () => expectRefusals(all, 400, says))
    }

    it('over the limit: 413, with and without a length in front', async () => {
      const asked = parametersBody([['_type', 'x'.repeat(BODY_LIMIT)]])
      await expectRefusals([asked, adding({ 'Transfer-Encoding': 'chunked' }, asked)], 413, /large/)
    })

    const otherTypes = words('application/xml application/x-www-form-urlencoded text/plain text/json garbage')
    const coded: readonly (readonly [what: string, headers: Headers, status: number, says: RegExp])[] = [
      ...['', ...otherTypes].map((type) => {
        return [`of the type "${type}"`, { 'Content-Type': type }, 415, /application\/fhir\+json/] as const
      }),
      ['in a coding that nobody knows', { 'Content-Encoding': 'x-none' }, 415, /coding/i],
      ['that says gzip and is not', { 'Content-Encoding': 'gzip' }, 400, /body/],
      ['that says deflate and is not', { 'Content-Encoding': 'deflate' }, 400, /body/],
      ['in an unknown charset', { 'Content-Type': 'application/json; charset=x-none' }, 415, /charset/i],
    ]
    for (const [what, headers, status, says] of coded) {
      it(what, () => expectRefusals([adding(headers, parametersBody([]))], status, says))
    }
  })

  describe('for its group', () => {
    const groups: readonly (readonly [what: string, id: string, status: number | string])[] = [
      ['that does not exist [GR-04]', 'nobody', 404],
      ['whose id is of another type', 'p1', 404],
      ['with a malformed id', 'a%20b', 404],
      ['with an id that is too long', 'x'.repeat(65), 404],
      ['with an id that is a path', '..%2fPatient', 404],
      ['with an id that has a NUL', 'g%00', 404],
      ['with an id that has an operator', 'g$ne', 404],
      ['with an id that is not UTF-8', '%E0%A4%A', '40[04]'],
      ['that only describes its members', 'described', 422],
      ['with a modifier extension', 'modified', 422],
    ]
    for (const [what, id, status] of groups) {
      const all = [{}, { method: 'POST' }, parametersBody([])]
      it(what, () => expectRefusals(all, status, /./, [`Group/${id}/$export`]))
    }
  })

  it('for its method: 405 with the methods that are allowed', async () => {
    for (const path of PATHS) {
      for (const method of ['PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
        const { headers } = await expectRefusal(path, { method }, 405, new RegExp(method))
        expect(headers['allow']).to.equal('GET, POST')
      }
    }
  })

  it('for being no more than a look: HEAD starts nothing', async () => {
    const jobs = database.db.collection('bulkexport.jobs')
    for (const path of PATHS) {
      const before = await jobs.countDocuments()
      const { status, headers } = await ask(`${hosts[0]?.base}/${path}`, { method: 'HEAD' })
      expect(await jobs.countDocuments(), `jobs after HEAD ${path}`).to.equal(before)
      expect([status, headers['allow']]).to.deep.equal([405, 'GET, POST'])
    }
  })

  it('for a Host header that makes no URL', async () => {
    const all = ['exa mple', '<script>', 'a/b?c', '[', 'a:99999'].map((Host) => ({ headers: { Host } }))
    await expectRefusals(all, 400, /Host/)
  })

  it('for 200 different reasons, of which none is the fault of the server', async function () {
    this.timeout(120_000)
    const anywhere = fc.constantFrom(...PATHS)
    const isRefused = async (path: string, [query, asked]: readonly [query: string, asked: Asked]) => {
      await expectRefusal(path + query, asked, '4..', /./)
    }
    await fc.assert(fc.asyncProperty(anywhere, malformed(), isRefused), { seed: 20240131, numRuns: 200 })
  })

  describe('with strictHeaders [KO-05 KO-06]', () => {
    const right = { Accept: 'application/fhir+json', Prefer: 'respond-async' }
    const wrong: readonly (readonly [headers: Headers, says: RegExp])[] = [
      [{ Prefer: right.Prefer }, /Accept/],
      [{ ...right, Accept: '*/*' }, /Accept/],
      [{ ...right, Accept: 'application/json' }, /Accept/],
      [{ ...right, Accept: 'application/fhir+ndjson' }, /Accept/],
      [{ Accept: right.Accept }, /Prefer/],
      [{ ...right, Prefer: 'handling=lenient' }, /Prefer/],
      [{ ...right, Prefer: 'respond-asynchronously' }, /Prefer/],
    ]
    useSuiteHost(hosts, database, { types: TYPES, options: { workers: 0, strictHeaders: true } })
    for (const [headers, says] of wrong) {
      it(JSON.stringify(headers), () => expectRefusals([{ headers }, { headers, method: 'POST' }], 400, says))
    }
  })

  it('for an Accept that allows no JSON', () =>
    expectRefusals([{ headers: { Accept: 'text/html' } }], 400, /Accept/))

  describe('for its group by a host without groups', () => {
    useSuiteHost(hosts, database, { types: ['Patient'], options: { workers: 0 } })
    it('as not found', () => expectRefusals([{}, { method: 'POST' }], 404, /Group/, ['Group/g/$export']))
  })
})

/** One host for all tests of a `describe`, in front of those that are there. */
function useSuiteHost(hosts: TestHost[], database: TestDatabase, options: TestHostOptions): void {
  before('start a host', async () => {
    hosts.unshift(await startHost(database, options))
  })
  after('close the host', () => hosts.shift()?.close())
}

function post(body: string | Uint8Array, type = 'application/fhir+json'): Asked {
  return { method: 'POST', body, headers: { 'Content-Type': type } }
}

function adding(headers: Headers, asked: Asked): Asked {
  return { ...asked, headers: { ...asked.headers, ...headers } }
}

function parametersBody(parameters: Parameters): Asked {
  return post(entries(...parameters.map(([name, value]) => ({ name, valueString: value }))))
}

function queryOf(parameters: Parameters): string {
  return `?${new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]))}`
}

function words(text: string): readonly string[] {
  return text.split(' ')
}

function entries(...parameter: readonly unknown[]): string {
  return JSON.stringify({ resourceType: 'Parameters', parameter })
}

function expectOutcome({ headers, text }: Answer, says: RegExp, what: string): void {
  expect(headers['content-type'], what).to.equal('application/fhir+json')
  expect(text, what).not.to.match(/node_modules|\bat .+:\d+:\d+|node:internal/)
  const { resourceType, issue, ...others } = JSON.parse(text) as Record<string, unknown>
  expect([resourceType, others], what).to.deep.equal(['OperationOutcome', {}])
  const issues = issue as Record<string, unknown>[]
  expect(issues, what).to.be.an('array').that.is.not.empty
  for (const one of issues) {
    expect(one, what).to.have.keys(
      'severity',
      'code',
      'diagnostics',
      ...('expression' in one ? ['expression'] : []),
    )
    expect(one['severity'], what).to.be.oneOf(['fatal', 'error', 'warning', 'information'])
    expect(ISSUE_TYPES.includes(String(one['code'])), what).to.equal(true)
    expect(one['diagnostics'], what).to.be.a('string').that.is.not.empty
    for (const expression of [one['expression'] ?? ['-']].flat()) {
      expect(expression, `expression of ${what}`).to.be.a('string').that.is.not.empty
    }
  }
  expect(issues.map(({ diagnostics }) => diagnostics).join(' '), what).to.match(says)
}

function notInstants(): readonly string[] {
  const times = ['', 'T10:00', 'T10:00:00', 'T10:00Z', ' 10:00:00Z', 'T24:00:00Z', 'T10:60:00Z', 'T10:00:61Z']
  const zones = ['+15:00', '+0100', '+1:00', '.Z', 'CET', 'Z,', 'Z\0', 'z', 'ZZ', ' 01:00:00']
  const days = words('2024-02-30 2023-02-29 2024-04-31 2024-13-01 2024-00-10 2024-01-00 0000-01-01 24-01-31')
  return [
    ...['', ...words('yesterday 2024 2024-01 null 1706695200000 gt2024-01-31T10:00:00Z')],
    ...times.map((time) => `2024-01-31${time}`),
    ...zones.map((zone) => `2024-01-31T10:00:00${zone}`),
    ...[...days, '+012024-01-31', '9999-12-31'].map((date) => `${date}T00:00:00Z`),
    new Date(Date.now() + 3_600_000).toISOString(),
  ]
}

function unknownParameters(): readonly string[] {
  return [
    ...words('organizeOutputBy _container'),
    ...words('_count _lastUpdated _TYPE _type[] _since[$gt] é'),
    ...words('__proto__ constructor toString hasOwnProperty'),
    ...['', ' _type', '\0', 'x'.repeat(5000)],
  ]
}

/** Anything that cannot be a kick-off: a parameter that is wrong among some that are right, or a body that is none. */
function malformed(): fc.Arbitrary<readonly [query: string, asked: Asked]> {
  const known = ['_since', '_type', '_outputFormat', '_format', '_pretty']
  const text = (isWrong: (value: string) => boolean) =>
    fc.string({ unit: 'binary', maxLength: 40 }).filter(isWrong)
  const named = (name: string, isWrong: (value: string) => boolean) =>
    text(isWrong).map((value) => [name, value] as const)
  const right = fc.constantFrom(['_type', 'Patient'], ['_outputFormat', 'ndjson'], ['_pretty', 'true'])
  const wrong = fc.oneof(
    text((name) => name !== '' && !known.includes(name)).map((name) => [name, 'x'] as const),
    named('_since', (value) => !/^\d{4}-/.test(value.trim())),
    named('_type', (value) => !TYPES.includes(value.trim())),
    named('_outputFormat', (value) => !value.includes('ndjson')),
  )
  const all = fc
    .tuple(fc.array(right, { maxLength: 3 }), wrong, fc.array(right, { maxLength: 3 }))
    .map(([before, one, after]) => [...before, one, ...after] as Parameters)
  const noParameters = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.json().filter((json) => !json.includes('Parameters')),
    all.map((parameters) => JSON.stringify(parameters).slice(0, -1)),
  )
  return fc.oneof(
    all.map((parameters) => [queryOf(parameters), {}] as const),
    all.map((parameters) => ['', parametersBody(parameters)] as const),
    noParameters.map((body) => ['', post(body)] as const),
  )
}
