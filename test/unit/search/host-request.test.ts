import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import express from 'express'
import { hostRequest } from '../../../plugin/search/host-request.js'

const { initialize } = createRequire(import.meta.url)('@asymmetrik/node-fhir-server-core') as {
  initialize(config: object, app: express.Express): unknown
}

const FIELDS = ['method', 'url', 'originalUrl', 'path', 'baseUrl', 'protocol', 'secure', 'hostname'] as const

/** What a service of the host could look at in a request. */
function look(req: ReturnType<typeof hostRequest>) {
  const headers = Object.fromEntries(
    ['host', 'accept', 'x-trace', 'accept-language'].map((name) => [name, req.headers[name]]),
  )
  return {
    ...Object.fromEntries(FIELDS.map((field) => [field, req[field]])),
    headers,
    byGet: [req.get('Host'), req.get('X-TRACE'), req.header('accept'), req.get('x-none')],
    query: { ...req.query },
    isOwn: Object.hasOwn(req.query, '_id'),
    params: { ...req.params },
    body: req.body,
    user: req.user,
  }
}

describe('hostRequest', () => {
  const user = { sub: 'dr-who', scope: 'user/*.read' }
  let seen: ReturnType<typeof hostRequest> | undefined
  let base: string
  let close: () => Promise<void>

  before('start a host whose service keeps the request', async () => {
    const app = express()
    app.use((request, _response, next) => {
      Object.assign(request, { user })
      next()
    })
    const search = async (_args: unknown, { req }: { req: ReturnType<typeof hostRequest> }) => {
      seen = req
      return []
    }
    const levels = { level: 'error' }
    initialize({ profiles: { Patient: { service: { search }, versions: ['4_0_0'] } }, logging: levels }, app)
    const server = app.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/4_0_0`
    close = async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })
  after(() => close())

  const queries: readonly (readonly (readonly [string, string])[])[] = [
    [],
    [['_id', 'a']],
    [
      ['_count', '1000'],
      ['_lastUpdated', 'gt2024-01-01T00:00:00.000Z'],
    ],
    [['subject', 'Patient/a-B.9']],
    [
      ['name:exact', 'a b+c&d=e%'],
      ['_cursor', 'ä/😀'],
    ],
    [
      ['_id', 'a'],
      ['_cursor', '1'],
      ['_cursor', '2'],
    ],
    [['_id', '']],
  ]
  for (const query of queries) {
    const params = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value]))
    it(`is like the request of a client for ${JSON.stringify(`${params}`)}`, async () => {
      const headers = { accept: 'application/fhir+json', 'x-trace': '1', 'accept-language': 'de' }
      const text = params.toString()
      const response = await fetch(`${base}/Patient${text === '' ? '' : `?${text}`}`, { headers })
      expect(response.status).to.equal(200)
      const made = hostRequest(base, 'Patient', params, {
        headers: { 'x-trace': '1', 'accept-language': 'de' },
        user,
      })
      expect(look(made)).to.deep.equal(look(seen as typeof made))
    })
  }

  it('has a query with the methods of every object, as Express makes it', async () => {
    await fetch(`${base}/Patient?_id=a`)
    const made = hostRequest(base, 'Patient', new URLSearchParams('_id=a'), { headers: {} })
    for (const { query } of [seen as typeof made, made]) {
      expect(Object.getPrototypeOf(query)).to.equal(Object.prototype)
    }
  })

  it('is made for the public base URL, wherever the kick-off came in', () => {
    const headers = { host: 'internal:3000', accept: 'text/html', 'x-forwarded-host': 'fhir.example.org' }
    const made = hostRequest('https://fhir.example.org/x/4_0_1', 'Group', new URLSearchParams('_id=a'), {
      headers,
    })
    expect(made).to.deep.include({
      protocol: 'https',
      secure: true,
      hostname: 'fhir.example.org',
      path: '/x/4_0_1/Group',
      originalUrl: '/x/4_0_1/Group?_id=a',
      params: { base_version: '4_0_1' },
      headers: {
        host: 'fhir.example.org',
        accept: 'application/fhir+json',
        'x-forwarded-host': 'fhir.example.org',
      },
      user: undefined,
    })
  })

  it('is not confused by parameters with names of Object.prototype', () => {
    const params = new URLSearchParams('__proto__=1&constructor=2&_id=a')
    const { query } = hostRequest('http://a/4_0_0', 'Patient', params, { headers: {} })
    expect(query).to.include({ constructor: '2', _id: 'a' })
    expect(Object.getPrototypeOf({})).to.equal(Object.prototype)
  })
})
