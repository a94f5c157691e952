import { expect } from 'chai'
import type { TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import {
  type Asked,
  ask,
  expectRefusal,
  exported,
  kickOff,
  manifestOf,
  registerStrategy,
  SMART_AUTH,
  startProtectedHost,
  useOAuthServer,
} from '../support/protected-host.js'

const SUBJECT = { reference: 'Patient/p1' }
const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Condition', id: 'c1', subject: SUBJECT },
  { resourceType: 'Observation', id: 'o1', subject: SUBJECT },
  { resourceType: 'Organization', id: 'org' },
  { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: [{ entity: SUBJECT }] },
]
const ALL = ['Condition/c1', 'Group/g', 'Observation/o1', 'Organization/org', 'Patient/p1']
const LENIENT = { Prefer: 'respond-async, handling=lenient' }
const LEVELS = ['$export', 'Patient/$export', 'Group/g/$export']

/** The same kick-off by GET, by POST without a body and by POST with a Parameters resource. */
function ways(type: string | undefined): readonly { readonly query: string; readonly asked: Asked }[] {
  const query = type === undefined ? '' : `?_type=${type}`
  const parameter = type === undefined ? [] : [{ name: '_type', valueString: type }]
  return [
    { query, asked: { method: 'GET' } },
    { query, asked: { method: 'POST' } },
    { query: '', asked: { body: { resourceType: 'Parameters', parameter } } },
  ]
}

describe('the scopes of a token [KO-16 AU-03]', () => {
  const database = useSuiteDatabase()
  const oauth = useOAuthServer(['client-a'])
  let host: TestHost
  before('start a host', async () => {
    host = await startProtectedHost(database, { resources: RESOURCES })
  })
  after(() => host.close())

  /** Demands that an export ends with these resources, at each way to ask for it. */
  async function expectExported(
    scope: string,
    type: string | undefined,
    headers: Readonly<Record<string, string>>,
    expected: readonly string[],
    path = '$export',
  ) {
    const token = await oauth.token('client-a', scope)
    const exports = ways(type).map(async ({ query, asked }) => {
      const statusUrl = await kickOff(host, { ...asked, token, headers }, path + query)
      const manifest = await manifestOf(host, statusUrl, { token })
      expect(manifest.requiresAccessToken).to.equal(true)
      expect(await exported(manifest, { token }), `${scope} ${path} ${asked.method}`).to.deep.equal(expected)
    })
    await Promise.all(exports)
  }

  /** Demands 403 at each way to ask and each level, and that no job comes of it; gives what the first one says. */
  async function expectForbidden(scope: string, type: string | undefined, headers = {}): Promise<string> {
    const jobs = database.db.collection('bulkexport.jobs')
    const before = await jobs.countDocuments()
    const token = await oauth.token('client-a', scope)
    const said: string[] = []
    for (const path of LEVELS) {
      for (const { query, asked } of ways(type)) {
        const answer = await ask(`${host.base}/${path}${query}`, { ...asked, token, headers })
        said.push(expectRefusal(answer, 403, 'forbidden', `${scope} ${path}${query}`))
      }
    }
    expect(await jobs.countDocuments(), 'jobs').to.equal(before)
    expect(new Set(said)).to.have.length(1)
    return said[0] ?? ''
  }

  describe('without _type', () => {
    const cases: readonly (readonly [scope: string, exported: readonly string[]])[] = [
      ['system/*.read', ALL],
      ['system/*.rs', ALL],
      ['system/Patient.read', ['Patient/p1']],
      ['system/Patient.*', ['Patient/p1']],
      ['system/Patient.rs', ['Patient/p1']],
      ['system/Patient.read system/Observation.rs', ['Observation/o1', 'Patient/p1']],
      ['system/Patient.rs system/Condition.r system/Observation.s', ['Patient/p1']],
      ['system/Patient.rs system/Observation.rs?status=final', ['Patient/p1']],
      ['system/Patient.rs user/*.read patient/Observation.read openid', ['Patient/p1']],
      ['system/Patient.rs system/Device.rs system/Nonsense.rs', ['Patient/p1']],
      ['system/*.write system/Group.read', ['Group/g']],
    ]
    for (const [scope, expected] of cases) {
      it(`${scope} exports ${expected === ALL ? 'everything' : expected} [ERR-06]`, () =>
        expectExported(scope, undefined, {}, expected))
    }

    it('export what they cover of the compartment at the other levels', async () => {
      const scope = 'system/Condition.rs system/Organization.rs'
      await expectExported(scope, undefined, {}, ['Condition/c1'], 'Patient/$export')
      await expectExported(scope, undefined, {}, ['Condition/c1'], 'Group/g/$export')
    })

    for (const scope of [
      ...['', 'openid launch/patient', 'system/Device.read', 'system/*.write', 'system/*.r', 'system/*.cud'],
      ...['user/*.read', 'patient/*.rs', 'system/*.rs?_security=N', 'system/Patient', 'system/Patient.reads'],
    ]) {
      it(`"${scope}" is refused, lenient or not`, async () => {
        await expectForbidden(scope, undefined)
        await expectForbidden(scope, undefined, LENIENT)
      })
    }
  })

  describe('with _type', () => {
    const refused: readonly (readonly [scope: string, type: string, named: readonly string[]])[] = [
      ['system/Patient.read', 'Observation', ['Observation']],
      ['system/Patient.read', 'Patient,Observation', ['Observation']],
      ['system/Patient.rs', 'Condition,Patient,Observation', ['Condition', 'Observation']],
      ['system/Observation.rs?status=final system/Patient.rs', 'Patient,Observation', ['Observation']],
      ['system/Observation.r system/Patient.rs', 'Patient,Observation', ['Observation']],
      ['user/*.read', 'Patient', ['Patient']],
    ]
    for (const [scope, type, named] of refused) {
      it(`${type}, ${scope} is refused, and names ${named.join(' and ')} [AU-06 ERR-05]`, async () => {
        const said = await expectForbidden(scope, type)
        expect(said.match(/Patient|Condition|Observation/g)).to.deep.equal(named)
      })
    }

    it('that is covered exports that and no more [QP-30]', async () => {
      await expectExported('system/*.read', 'Patient', {}, ['Patient/p1'])
      await expectExported('system/Patient.rs system/Group.rs', 'Patient', {}, ['Patient/p1'])
      await expectExported('system/*.rs', 'Organization,Group', {}, ['Group/g', 'Organization/org'])
    })

    it('and lenient handling leave out what is not covered', async () => {
      await expectExported('system/Patient.read', 'Patient,Observation', LENIENT, ['Patient/p1'])
      await expectExported('system/Patient.rs', 'Condition,Nonsense,Patient', LENIENT, ['Patient/p1'])
    })

    it('and lenient handling are refused when nothing is covered', async () => {
      await expectForbidden('system/Patient.read', 'Observation', LENIENT)
      await expectForbidden('', 'Patient,Observation', LENIENT)
    })

    it('that the host does not have is 400 before it is 403', async () => {
      const token = await oauth.token('client-a', 'system/Patient.read')
      const answer = await ask(`${host.base}/$export?_type=Nonsense,Observation`, { token })
      expectRefusal(answer, 400, 'not-supported')
    })
  })

  describe('under another key', () => {
    const user = (scopes: unknown) => ({ client_id: 'client-a', scope: 'system/*.*', permissions: scopes })
    const claims: readonly (readonly [what: string, scopes: unknown, types: string | undefined])[] = [
      ['a text', 'system/Patient.read system/Group.rs', 'Group Patient'],
      ['an array', ['system/Patient.read', 'system/Group.rs'], 'Group Patient'],
      ['a text with commas, as the core splits it', 'system/Patient.read,system/Group.rs', 'Group Patient'],
      ['a text with a comma in a constraint', 'system/Group.rs?code=a,system/*.rs', undefined],
      ['nothing', undefined, undefined],
    ]
    for (const [what, scopes, types] of claims) {
      it(`as ${what} count, and the usual key does not`, async () => {
        const strategy = registerStrategy('test-scopes', ({ success }) => success(user(scopes)))
        const auth = { ...SMART_AUTH, strategy, customScopeKey: 'permissions' }
        const other = await startProtectedHost(database, {
          ...{ auth, types: RESOURCES.map(({ resourceType }) => resourceType), options: { workers: 0 } },
        })
        try {
          const answer = await ask(`${other.base}/$export`)
          expect(answer.status).to.equal(types === undefined ? 403 : 202)
          const id = answer.headers.get('content-location')?.split('/').at(-1) ?? ''
          const jobs = database.db.collection<{ _id: string; types: string[] }>('bulkexport.jobs')
          expect((await jobs.findOne({ _id: id }))?.types.join(' ')).to.equal(types)
        } finally {
          await other.close()
        }
      })
    }
  })
})
