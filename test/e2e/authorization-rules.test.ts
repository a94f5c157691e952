import { expect } from 'chai'
import { type Access, type Authorize, ExportError, type HttpRequest } from '../../plugin/index.js'
import type { TestHost, TestHostOptions } from '../support/export-host.js'
import { type TestDatabase, useSuiteDatabase } from '../support/mongodb.js'
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
  useNodeEnv,
  useOAuthServer,
} from '../support/protected-host.js'

type Behaviour = Parameters<typeof registerStrategy>[1]

const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Observation', id: 'o1', subject: { reference: 'Patient/p1' } },
]
const ALL = ['Observation/o1', 'Patient/p1']

/** A host for all tests of a `describe`, on a database of its own. */
function useSuiteHost(options: () => TestHostOptions & { readonly auth?: object }): {
  readonly host: TestHost
  readonly database: TestDatabase
} {
  const database = useSuiteDatabase()
  let started: TestHost | undefined
  before('start a host', async () => {
    started = await startProtectedHost(database, { resources: RESOURCES, ...options() })
  })
  after(() => started?.close())
  return {
    database,
    get host() {
      if (started === undefined) throw new Error('useSuiteHost() gives a host to hooks and tests only')
      return started
    },
  }
}

function unfinished({ db }: TestDatabase) {
  return db.collection<{ _id: string }>('bulkexport.jobs').find({ endedAt: null }).toArray()
}

/** Every endpoint, for a job that is complete. */
async function askEverywhere(host: TestHost, statusUrl: string, asked: Asked) {
  return [
    await ask(`${host.base}/$export`, asked),
    await ask(`${host.base}/Patient/$export`, { ...asked, method: 'POST' }),
    await ask(statusUrl, asked),
    await ask(statusUrl, { ...asked, method: 'DELETE' }),
    await ask(`${statusUrl}/Patient-1.ndjson`, asked),
  ]
}

describe('a host with config.auth that is not SMART', () => {
  const oauth = useOAuthServer(['client-a', 'client-b'])
  for (const type of [undefined, 'other', 'SMART']) {
    describe(`but of type ${type}`, () => {
      const test = useSuiteHost(() => ({ auth: { ...SMART_AUTH, type } }))
      it('gives everything to clients that are authenticated, whatever their scopes [MF-03]', async () => {
        const { host } = test
        const a = { token: await oauth.token('client-a', 'openid') }
        const b = { token: await oauth.token('client-b', 'system/*.read') }
        const statusUrl = await kickOff(host, a)
        const manifest = await manifestOf(host, statusUrl, a)
        expect(manifest.requiresAccessToken).to.equal(true)
        expect(await exported(manifest, a)).to.deep.equal(ALL)
        for (const answer of await askEverywhere(host, statusUrl, {})) expectRefusal(answer, 401, 'login')
        const [, , ...ofTheJob] = await askEverywhere(host, statusUrl, b)
        for (const answer of ofTheJob) expectRefusal(answer, 404, 'not-found')
        expect((await ask(statusUrl, a)).status).to.equal(200)
      })
    })
  }
})

describe('a host without config.auth', () => {
  useNodeEnv('production')
  const test = useSuiteHost(() => ({ auth: {} }))
  for (const authorization of [undefined, 'Bearer ', 'Bearer x', 'garbage']) {
    it(`exports to everybody, with the Authorization header ${JSON.stringify(authorization)} [MF-03 FL-10]`, async () => {
      const asked = authorization === undefined ? {} : { headers: { Authorization: authorization } }
      const manifest = await manifestOf(test.host, await kickOff(test.host, asked), asked)
      expect(manifest.requiresAccessToken).to.equal(false)
      expect(await exported(manifest, {})).to.deep.equal(ALL)
    })
  }

  it('says so in the log', () =>
    expect(test.host.log.filter(({ message }) => message === 'authorization.none')).to.have.length(1))
})

describe('the authorize option', () => {
  useOAuthServer(['client-a'])
  const requests: HttpRequest[] = []
  let rule: Authorize
  const options = {
    authorize: (request: HttpRequest) => {
      requests.push(request)
      return rule(request)
    },
  }
  const seen: unknown[] = []
  const search = async (_args: unknown, context: { readonly req: unknown }) => {
    seen.push((context.req as { readonly user?: unknown }).user)
    return [RESOURCES[0]]
  }
  const profiles = { Patient: { service: { search }, versions: ['4_0_0'] } }
  const test = useSuiteHost(() => ({ options, profiles }))
  const access = (clientId: string, types: readonly string[] | 'all'): Access => {
    return { clientId, types: types === 'all' ? 'all' : new Set(types) }
  }

  it('takes the place of config.auth everywhere, and is asked each time', async () => {
    rule = async () => access('me', 'all')
    const statusUrl = await kickOff(test.host, {})
    const manifest = await manifestOf(test.host, statusUrl, {})
    expect(manifest.requiresAccessToken).to.equal(true)
    expect(await exported(manifest, {})).to.deep.equal(ALL)
    requests.length = 0
    const answers = await askEverywhere(test.host, statusUrl, { headers: { 'X-Test': 'yes' } })
    expect(answers.map(({ status }) => status)).to.deep.equal([202, 202, 200, 202, 404])
    expect(requests.map(({ headers }) => headers['x-test'])).to.deep.equal(answers.map(() => 'yes'))
    expect(requests[0]?.path).to.equal('/4_0_0/$export')
  })

  it('says who owns a job [ST-16]', async () => {
    rule = async ({ headers }) => access(headers['x-client'] ?? '', 'all')
    const [me, other] = ['me', 'other'].map((client) => ({ headers: { 'X-Client': client } }))
    const statusUrl = await kickOff(test.host, { ...me })
    await manifestOf(test.host, statusUrl, { ...me })
    for (const asked of [other, { headers: { 'X-Client': 'ME' } }, {}]) {
      const [, , ...ofTheJob] = await askEverywhere(test.host, statusUrl, { ...asked })
      for (const answer of ofTheJob) expectRefusal(answer, 404, 'not-found')
    }
    expect((await ask(statusUrl, { ...me })).status).to.equal(200)
  })

  it('says which types hold', async () => {
    rule = async () => access('me', ['Patient'])
    expectRefusal(await ask(`${test.host.base}/$export?_type=Observation`), 403, 'forbidden')
    const manifest = await manifestOf(test.host, await kickOff(test.host, {}), {})
    expect(await exported(manifest, {})).to.deep.equal(['Patient/p1'])
    rule = async () => access('me', [])
    expectRefusal(await ask(`${test.host.base}/$export`), 403, 'forbidden')
    expectRefusal(await ask(manifest.output[0]?.url ?? ''), 403, 'forbidden')
  })

  it('says whom the services see', async () => {
    const user = { name: 'Ünïcode', roles: ['a', { b: null }], '$set.x': 1 }
    rule = async () => ({ ...access('me', ['Patient']), user })
    // Exports that other tests have left running search for themselves.
    for (const { _id } of await unfinished(test.database)) await test.host.ended(_id)
    seen.length = 0
    await manifestOf(test.host, await kickOff(test.host, {}), {})
    expect(seen).to.have.length.above(0)
    for (const one of seen) expect(one).to.deep.equal(user)
  })

  it('may leave exports open', async () => {
    rule = async () => ({ types: 'all' })
    const manifest = await manifestOf(test.host, await kickOff(test.host, {}), {})
    expect(manifest.requiresAccessToken).to.equal(false)
    rule = async () => access('somebody', 'all')
    expectRefusal(await ask(manifest.output[0]?.url ?? ''), 404, 'not-found')
  })

  const thrown: readonly (readonly [what: string, rule: Authorize, status: number, says: RegExp])[] = [
    ['an ExportError 401', refuse(401, 'login', 'Bearer realm="here"'), 401, /^Not you\.$/],
    ['an ExportError 403', refuse(403, 'forbidden'), 403, /^Not you\.$/],
    ['an Error', async () => Promise.reject(new Error('secret')), 500, /log/],
    ['an Error that has a status', async () => Promise.reject(statusError(403)), 500, /log/],
    ['an Error at once', () => raise(new Error('secret')), 500, /log/],
    ['a string', async () => Promise.reject('secret'), 500, /log/],
    ['undefined', async () => Promise.reject(undefined), 500, /log/],
    ['a word that routers know', async () => Promise.reject('router'), 500, /log/],
  ]
  for (const [what, throwing, status, says] of thrown) {
    it(`that throws ${what} is answered ${status} everywhere`, async () => {
      rule = async () => access('me', 'all')
      const statusUrl = await kickOff(test.host, {})
      await manifestOf(test.host, statusUrl, {})
      rule = throwing
      for (const answer of await askEverywhere(test.host, statusUrl, {})) {
        const code = { 401: 'login', 403: 'forbidden' }[status] ?? 'exception'
        expect(expectRefusal(answer, status, code)).to.match(says)
        expect(answer.text).not.to.include('secret')
        if (status === 401) expect(answer.headers.get('www-authenticate')).to.equal('Bearer realm="here"')
      }
      rule = async () => access('me', 'all')
      expect((await ask(statusUrl)).status).to.equal(200)
    })
  }

  it('that throws a challenge which no header can carry is answered all the same', async () => {
    rule = refuse(401, 'login', 'Bearer error="\u20ac"')
    const answer = await ask(`${test.host.base}/$export`)
    expect(answer.status).to.be.oneOf([401, 500])
    expect(JSON.parse(answer.text).resourceType).to.equal('OperationOutcome')
  })
})

describe('a strategy of the host', () => {
  useNodeEnv('production')
  let behave: Behaviour = () => {}
  const strategy = registerStrategy('test-told', (...told) => behave(...told))
  const test = useSuiteHost(() => ({ auth: { strategy }, options: { workers: 0 } }))

  const later = (act: () => void) => setImmediate(act)
  const failures: readonly (readonly [what: string, Behaviour])[] = [
    ['calls an error', ({ error }) => error(new Error('inactive'))],
    ['calls an error later', ({ error }) => later(() => error(new Error('inactive')))],
    ['throws', () => raise(new Error('inactive'))],
  ]
  for (const [what, behaviour] of failures) {
    it(`that ${what} is 401 and a line in the log`, async () => {
      behave = behaviour
      const before = test.host.log.length
      const answer = await ask(`${test.host.base}/$export`)
      expectRefusal(answer, 401, 'login')
      expect(answer.text).not.to.include('inactive')
      const [line, ...more] = test.host.log.slice(before)
      expect(more).to.deep.equal([])
      expect(line).to.include({ level: 'warn', message: 'authorization.strategy-failed' })
      expect(line?.['error']).to.include('inactive')
    })
  }

  it('that the core has not registered is 401 and a line in the log', async () => {
    behave = ({ success }) => success({ id: 1 })
    const other = await startProtectedHost(test.database, {
      ...{ auth: { strategy: { ...strategy, name: 'test-nobody' } }, types: ['Patient'] },
      options: { workers: 0 },
    })
    try {
      expectRefusal(await ask(`${other.base}/$export`), 401, 'login')
      expect(other.log.at(-1)).to.include({ level: 'warn', message: 'authorization.strategy-failed' })
    } finally {
      await other.close()
    }
  })

  it('that calls an ExportError is answered with that', async () => {
    const busy = new ExportError(503, 'Try later.', { code: 'transient', retryAfter: 7 })
    behave = ({ error }) => error(busy)
    const answer = await ask(`${test.host.base}/$export`)
    expectRefusal(answer, 503, 'transient')
    expect(answer.headers.get('retry-after')).to.equal('7')
  })

  const realm = 'Bearer realm="a b", error="invalid_token", error_description="x"'
  const refusals: readonly (readonly [what: string, Behaviour, challenge: string])[] = [
    ['fails', ({ fail }) => fail(), 'Bearer'],
    ['fails later', ({ fail }) => later(() => fail(realm)), realm],
    ['fails with a challenge', ({ fail }) => fail('Bearer realm=x'), 'Bearer realm=x'],
    ['fails with a status', ({ fail }) => fail(400), 'Bearer'],
    ['fails with an Error', ({ fail }) => fail(new Error('No auth token')), 'Bearer'],
    ['fails with an object', ({ fail }) => fail({ message: 'No auth token' }), 'Bearer'],
    ['fails with a sentence', ({ fail }) => fail('No auth token'), 'Bearer'],
    ['fails with a word', ({ fail }) => fail('Unauthorized'), 'Bearer'],
    ['fails with a line break', ({ fail }) => fail('Bearer error="a\r\nSet-Cookie: b=c"'), 'Bearer'],
    ['fails with what no header can carry', ({ fail }) => fail('Bearer error="\u20ac"'), 'Bearer'],
    ['passes', ({ pass }) => pass(), 'Bearer'],
    ['redirects', ({ redirect }) => redirect('https://login.example.org/'), 'Bearer'],
    ['redirects later', ({ redirect }) => later(() => redirect('https://login.example.org/')), 'Bearer'],
    ['finds nobody', ({ success }) => success(false), 'Bearer'],
  ]
  for (const [what, behaviour, challenge] of refusals) {
    it(`that ${what} is 401 with ${challenge}`, async () => {
      behave = behaviour
      const answer = await ask(`${test.host.base}/$export`)
      expectRefusal(answer, 401, 'login')
      expect(answer.headers.get('www-authenticate')).to.equal(challenge)
      expect(answer.headers.has('set-cookie')).to.equal(false)
    })
  }

  const nobody = [
    true,
    {},
    { client_id: '' },
    { client_id: { a: 1 }, sub: null },
    { name: 'x', scope: 'y' },
    [],
  ]
  for (const user of nobody) {
    it(`whose user is ${JSON.stringify(user)} is 403, since that names no client`, async () => {
      behave = ({ success }) => success(user)
      expectRefusal(await ask(`${test.host.base}/$export`), 403, 'forbidden')
      expect(test.host.log.at(-1)).to.include({ level: 'error', message: 'authorization.no-client' })
    })
  }

  const pairs: readonly (readonly [what: string, one: unknown, other: unknown])[] = [
    ['clients', { client_id: 'a' }, { client_id: 'b' }],
    ['clients, as other servers name them', { azp: 'a', aud: 'x' }, { azp: 'b', aud: 'x' }],
    ['clients, whose names differ in case', { client_id: 'a' }, { client_id: 'A' }],
    ['users of one client', { client_id: 'app', sub: 'u1' }, { client_id: 'app', sub: 'u2' }],
    ['a client and a user of it', { client_id: 'app' }, { client_id: 'app', sub: 'u2' }],
    ['a client and a user of the same name', { client_id: 'x' }, { sub: 'x' }],
    ['users of several issuers', { iss: 'https://a', sub: 'x' }, { iss: 'https://b', sub: 'x' }],
    ['users with numbers', { id: 1 }, { id: 2 }],
    ['a number and a text', { id: 1 }, { id: '1' }],
    ['users by name', { username: 'x' }, { username: 'y' }],
    ['users that are only a name', 'x', 'y'],
    ['names that look like others put together', { client_id: 'a","b' }, { client_id: 'a', sub: 'b' }],
  ]
  for (const [what, one, other] of pairs) {
    it(`tells apart ${what}`, async () => {
      behave = ({ success }) => success(one)
      const statusUrl = await kickOff(test.host, {})
      behave = ({ success }) => success(other)
      expectRefusal(await ask(statusUrl), 404, 'not-found')
      expectRefusal(await ask(statusUrl, { method: 'DELETE' }), 404, 'not-found')
      behave = ({ success }) => success(one)
      expect((await ask(statusUrl)).status).to.equal(202)
    })
  }
})

function refuse(status: number, code: 'login' | 'forbidden', challenge?: string): Authorize {
  return async () => {
    throw new ExportError(status, 'Not you.', { code, ...(challenge === undefined ? {} : { challenge }) })
  }
}

function statusError(status: number): Error {
  return Object.assign(new Error('secret'), { status, statusCode: status })
}

function raise(error: Error): never {
  throw error
}
