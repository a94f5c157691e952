import { expect } from 'chai'
import { type AuthorizeOperator, ExportError, type HostProfile } from '../../plugin/index.js'
import { resolveOptions } from '../../plugin/options.js'
import { startHost, type TestHostOptions, useHost } from '../support/export-host.js'
import { manyExports } from '../support/many-exports.js'
import { useDatabase } from '../support/mongodb.js'
import { type Answer, type Asked, ask, Gate } from '../support/protected-host.js'

const PATIENT = { resourceType: 'Patient', id: 'p1', name: [{ family: 'Mustermann4711' }] }
const GROUP = {
  ...{ resourceType: 'Group', id: 'g.1', type: 'person', actual: true },
  member: [{ entity: { reference: 'Patient/p1' } }],
}
const nobody = () =>
  new ExportError(401, 'Who are you?', { code: 'login', challenge: 'Basic realm="exports"' })
/** The role is asked for after the rule for exports. */
const authorize: AuthorizeOperator = async (request, authorizeExport) => {
  const { clientId = '' } = await authorizeExport(request)
  if (clientId !== 'operator') throw new ExportError(403, 'Operators only.', { code: 'forbidden' })
  return { id: 'ada' }
}

describe("the operator's page", () => {
  let gate: Gate
  const database = useDatabase()
  const test = useHost(database, () => {
    gate = new Gate()
    const Observation: HostProfile = {
      service: {
        search: async () => {
          await gate.pass()
          return []
        },
      },
      versions: ['4_0_0'],
    }
    return {
      resources: [PATIENT, GROUP],
      profiles: { Observation },
      options: {
        authorize: async ({ headers }) => {
          const clientId = /^Bearer (.+)$/.exec(headers['authorization'] ?? '')?.[1]
          if (clientId === undefined) throw nobody()
          return { clientId, types: 'all' }
        },
        operatorPage: { authorize },
      },
    }
  })
  afterEach(() => gate.open())
  const root = () => test.host.base.replace('/4_0_0', '')
  const see = (path = '', asked: Asked = {}): Promise<Answer> =>
    ask(`${root()}/exports${path}`, { token: 'operator', ...asked })
  const kickOff = async (path = '$export?_type=Patient,Observation') => {
    const { status, headers, text } = await ask(`${test.host.base}/${path}`, { token: 'client-secret-token' })
    expect(status, text).to.equal(202)
    const url = String(headers.get('content-location'))
    return { url, id: String(url.split('/').at(-1)) }
  }
  const cancel = (id: string, headers: Record<string, string>) =>
    fetch(`${root()}/exports/${id}/cancel`, {
      method: 'POST',
      headers: { Authorization: 'Bearer operator', ...headers },
      redirect: 'manual',
    })

  describe('opens to operators', () => {
    for (const path of [
      '',
      '/0123456789abcdef0123456789abcdef',
      '/0123456789abcdef0123456789abcdef/cancel',
      '/x',
    ]) {
      it(`only: ${path || 'the list'}`, async () => {
        const [anybody, client] = [
          await see(path, { headers: {}, token: '' }),
          await see(path, { token: 'client' }),
        ]
        expect([anybody.status, client.status]).to.deep.equal([401, 403])
        expect(anybody.headers.get('www-authenticate')).to.equal('Basic realm="exports"')
        for (const { headers, text } of [anybody, client]) {
          expect(headers.get('content-type')).to.equal('text/html; charset=utf-8')
          expect(text).to.match(/<h1>40[13] /)
        }
      })
    }

    it('and does not let a stranger cancel', async () => {
      const { id, url } = await kickOff()
      const own = { 'Sec-Fetch-Site': 'same-origin' }
      expect((await cancel(id, { ...own, Authorization: 'Bearer client' })).status).to.equal(403)
      expect((await cancel(id, { ...own, Authorization: '' })).status).to.equal(401)
      expect((await ask(url, { token: 'client-secret-token' })).status).to.equal(202)
    })
  })

  it('shows an export while it runs, and when it is complete', async () => {
    const { id, url } = await kickOff()
    await gate.reached
    const list = await see()
    expect(list.status).to.equal(200)
    for (const words of ['Running', id.slice(0, 8), 'client-secret-token', '1 worker process', '<progress']) {
      expect(list.text, words).to.include(words)
    }
    const running = await see(`/${id}`)
    expect(running.text).to.include('aria-label="Progress of export').and.include(`$export/${id}`)
    gate.open()
    await test.host.ended(url)
    const { text } = await see(`/${id}`)
    for (const words of ['Completed', 'Patient-1.ndjson', '1 file', '1 of 1'])
      expect(text, words).to.include(words)
    expect((await see('?state=running')).text).to.include('There are no exports in this state.')
    expect((await see('?state=completed')).text).to.include(id)
  })

  it('shows nothing of the resources, of tokens, or of what filters look for', async () => {
    const { id, url } = await kickOff('$export?_type=Patient&_typeFilter=Patient%3Fname%3DMustermann4711')
    await test.host.ended(url)
    for (const path of ['', `/${id}`, `/${id}/cancel`]) {
      const { status, text } = await see(path)
      expect(status).to.equal(200)
      expect(text).not.to.include('4711').and.not.to.include('Bearer')
    }
    expect((await see(`/${id}`)).text).to.include('Patient: name')
  })

  it('tells browsers to keep, frame and run nothing', async () => {
    for (const path of ['', '/nothing', '?state=wrong']) {
      const { headers } = await see(path)
      expect(headers.get('cache-control'), path).to.equal('no-store')
      const policy = headers.get('content-security-policy') ?? ''
      for (const rule of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
      ]) {
        expect(policy.split('; '), path).to.include(rule)
      }
      expect(policy).not.to.match(/unsafe|\*|http/)
      expect(headers.get('x-content-type-options')).to.equal('nosniff')
      expect(headers.get('referrer-policy')).to.equal('same-origin')
    }
  })

  describe('cancels an export', () => {
    it('after asking, and does to it what DELETE does', async () => {
      const { id, url } = await kickOff()
      await gate.reached
      const question = await see(`/${id}/cancel`)
      expect(question.text).to.include('method="post"').and.include('Cancel export')
      expect((await ask(url, { token: 'client-secret-token' })).status, 'asking does nothing').to.equal(202)
      const answer = await cancel(id, { Origin: root() })
      expect(answer.status).to.equal(303)
      const location = String(answer.headers.get('location'))
      expect(location).to.equal(`/exports?cancelled=${id}`)
      expect((await see(location.replace('/exports', ''))).text).to.include('was cancelled')
      expect((await ask(url, { token: 'client-secret-token' })).status).to.equal(404)
      expect(await database.db.collection('bulkexport.tasks').countDocuments()).to.equal(0)
      expect((await cancel(id, { Origin: root() })).status, 'twice').to.equal(404)
      const logged = test.host.log.find(({ message }) => message === 'operator.cancelled')
      expect(logged).to.deep.include({ job: id, operator: 'ada' })
    })

    it('but not because another site or nobody says so', async () => {
      const { id, url } = await kickOff()
      const foreign: readonly Record<string, string>[] = [
        {},
        { Origin: 'null' },
        { Origin: 'https://evil.example.org' },
        { Origin: `${root()}.evil.example.org` },
        { Origin: root().replace('http', 'https') },
        { 'Sec-Fetch-Site': 'cross-site', Origin: root() },
        { 'Sec-Fetch-Site': 'same-site', Origin: root() },
        { 'Sec-Fetch-Site': 'none' },
      ]
      for (const headers of foreign) {
        expect((await cancel(id, headers)).status, JSON.stringify(headers)).to.equal(403)
      }
      expect((await ask(url, { token: 'client-secret-token' })).status).to.equal(202)
    })

    it('and says so of none that is still there', async () => {
      const { id } = await kickOff()
      expect((await see(`?cancelled=${id}`)).text).not.to.include('was cancelled')
      expect((await see('?cancelled=%3Cb%3E')).text).not.to.include('was cancelled')
    })
  })

  const wrong: readonly (readonly [method: string, path: string, status: number])[] = [
    ['GET', '/0123456789abcdef0123456789abcdef', 404],
    ['GET', '/0123456789abcdef0123456789abcdef/cancel', 404],
    ['GET', '/0123456789abcdef0123456789abcdef/other', 404],
    ['GET', '/0123456789abcdef0123456789abcdef/cancel/more', 404],
    ['GET', '/%E0%A4%A', 404],
    ['GET', '?state=wrong', 400],
    ['GET', '?after=wrong', 400],
    ['POST', '', 405],
    ['DELETE', '/0123456789abcdef0123456789abcdef', 405],
    ['PUT', '/0123456789abcdef0123456789abcdef/cancel', 405],
  ]
  for (const [method, path, status] of wrong) {
    it(`answers ${method} ${path || '/'} ${status}, as a page`, async () => {
      const response = await see(path, { method })
      expect(response.status).to.equal(status)
      expect(response.text).to.include(`<h1>${status} `)
      if (status === 405) expect(response.headers.get('allow')).to.match(/^GET, HEAD(, POST)?$/)
    })
  }

  it('answers HEAD as GET without a body, with and without a slash', async () => {
    for (const path of ['', '/']) {
      const { status, text } = await see(path, { method: 'HEAD' })
      expect({ status, text }).to.deep.equal({ status: 200, text: '' })
    }
  })

  it('lists a hundred exports on a page, and the older ones on the next', async () => {
    await manyExports(database.db, 130, new Date())
    const first = await see()
    const rows = ({ text }: Answer) =>
      [...text.matchAll(/<tr role="row" id="e-([0-9a-f]+)"/g)].map(([, id]) => id)
    expect(rows(first)).to.have.length(100)
    const next = /href="\/exports\?([^"]+)" rel="next"/.exec(first.text)?.[1]
    const second = await see(`?${next?.replaceAll('&amp;', '&')}`)
    expect(new Set([...rows(first), ...rows(second)]).size).to.equal(130)
    expect(second.text).not.to.include('rel="next"')
  })

  it('reloads by itself without scripts only when that is wanted', async () => {
    const meta = '<noscript><meta http-equiv="refresh" content="10"></noscript>'
    expect((await see('?state=failed')).text)
      .to.include('?state=failed&amp;reload=10')
      .and.not.to.include(meta)
    expect((await see('?state=failed&reload=10')).text)
      .to.include(meta)
      .and.include('"?state=failed"')
    expect((await see('?reload=0')).text).not.to.include('http-equiv')
  })
})

describe("the rule of the operator's page", () => {
  const database = useDatabase()
  const answerWith = async (options: TestHostOptions['options'], path = '/exports') => {
    const host = await startHost(database, { types: ['Patient'], ...(options && { options }) })
    try {
      return await ask(`${host.base.replace('/4_0_0', '')}${path}`)
    } finally {
      await host.close()
    }
  }
  const rules: readonly (readonly [what: string, rule: unknown, status: number])[] = [
    ['forgets to answer', () => undefined, 403],
    ['says no with `false`', async () => false, 403],
    ['names nobody', () => ({ id: '' }), 403],
    ['is broken', () => Promise.reject(new Error('password=geheim')), 500],
  ]
  for (const [what, rule, status] of rules) {
    it(`lets nobody in when it ${what}: ${status}`, async () => {
      const answer = await answerWith({ operatorPage: { authorize: rule as AuthorizeOperator } })
      expect(answer.status).to.equal(status)
      expect(answer.text).not.to.include('geheim')
    })
  }

  it('is what the page needs to be there, at the path that it is given', async () => {
    expect((await answerWith(undefined)).text, 'off').not.to.include('Bulk exports')
    const operatorPage = { path: '/ops/bulk', authorize: () => ({ id: 'ada' }) }
    expect((await answerWith({ operatorPage })).text, 'elsewhere').not.to.include('Bulk exports')
    const { status, text } = await answerWith(
      { operatorPage, baseUrl: 'https://x.example.org/fhir' },
      '/ops/bulk',
    )
    expect(status).to.equal(200)
    expect(text).to.include('href="/fhir/ops/bulk?state=failed"')
  })

  for (const path of ['exports', '/4_0_0', '/4_0_0/x', '/', '/a/../b', '/a b', '/a*', '/:a', '//a']) {
    it(`cannot be at ${path}`, () => {
      const operatorPage = { path, authorize: () => ({ id: 'ada' }) }
      const create = () => resolveOptions({ ...OPTIONS, operatorPage })
      expect(create).to.throw('operatorPage.path')
    })
  }
})

const OPTIONS = { config: { profiles: {} }, mongodb: { uri: 'mongodb://x' }, storage: 'file:///tmp/x' }
