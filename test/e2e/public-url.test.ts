import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import express from 'express'
import type { BulkExport } from '../../plugin/index.js'
import { bulkClient } from '../../scripts/client/bulk-client.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { type Answer, ask, type Headers } from '../support/raw-http.js'

const PATIENT = { resourceType: 'Patient', id: 'p1' }
const QUERY = '$export?_type=Patient&_outputFormat=ndjson'

describe('the public URL of a server', () => {
  const database = useSuiteDatabase()
  const other = useSuiteDatabase()
  let host: TestHost
  let fixed: TestHost
  let open: Server[] = []
  before('start hosts', async () => {
    host = await startHost(database, { resources: [PATIENT], options: { minPollInterval: 0 } })
    fixed = await startHost(other, {
      resources: [PATIENT],
      options: { minPollInterval: 0, baseUrl: 'https://fixed.example.org/r4' },
    })
  })
  after('close the hosts', async () => {
    await host?.close()
    await fixed?.close()
  })
  afterEach('close what the test has opened', async () => {
    for (const server of open) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    open = []
  })

  async function listen(server: Server): Promise<string> {
    open.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** The router of a host in an app of its own that trusts these proxies, below a path if need be. */
  function serve({ router }: BulkExport, trust: unknown, mount = '/'): Promise<string> {
    return listen(createServer(express().set('trust proxy', trust).use(mount, router)))
  }

  /** A proxy that takes a prefix off the path and appends to the headers what it took and how it was called. */
  function proxy(target: string, prefix: string): Promise<string> {
    return listen(
      createServer((incoming, outgoing) => {
        if (!incoming.url?.startsWith(`${prefix}/`)) {
          outgoing.writeHead(502).end()
          return
        }
        const append = (name: string, value: string) => {
          return { [name]: [incoming.headers[name] ?? [], value].flat().join(', ') }
        }
        const headers = {
          ...incoming.headers,
          host: new URL(target).host,
          ...append('x-forwarded-host', String(incoming.headers.host)),
          ...append('x-forwarded-proto', 'http'),
          ...append('x-forwarded-prefix', prefix),
        }
        const url = target + incoming.url.slice(prefix.length)
        const passed = request(url, { method: incoming.method ?? 'GET', headers }, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        })
        incoming.pipe(passed)
      }),
    )
  }

  /** Exports with these headers, and demands that all URLs begin with the public one and lead to the server. */
  async function expectPublic(url: string, server: string, headers: Headers, mount = ''): Promise<void> {
    const inside = (link: string) => {
      expect(link.slice(0, url.length)).to.equal(url)
      return `${server}${mount}${link.slice(url.length)}`
    }
    const accepted = await ask(`${server}${mount}/4_0_0/${QUERY}`, { headers })
    expect(accepted.status, accepted.text).to.equal(202)
    const location = String(accepted.headers['content-location'])
    expect(location.replace(/[0-9a-f]{32}$/, 'ID')).to.equal(`${url}/4_0_0/$export/ID`)
    await (url.startsWith('https://fixed') ? fixed : host).ended(location)
    const status = await ask(inside(location), { headers })
    expect(status.status, status.text).to.equal(200)
    const manifest = JSON.parse(status.text)
    expect(manifest.request).to.equal(`${url}/4_0_0/${QUERY}`)
    expect(manifest.output.map((file: { url: string }) => file.url)).to.deep.equal([
      `${location}/Patient-1.ndjson`,
    ])
    const file = await ask(inside(manifest.output[0].url), { headers })
    expect(JSON.parse(file.text)).to.include(PATIENT)
    expect((await ask(inside(location), { method: 'DELETE', headers })).status).to.equal(202)
  }

  it('hapifhir/hapi-fhir#3956: the status URL behind proxies works as it is, as all others do [KO-10]', async () => {
    const inner = await proxy(await serve(host.bulkExport, true, '/app'), '/inner')
    const outer = await proxy(inner, '/outer')
    // What the client calls is known without asking the server: the outer proxy has taken off the first of two.
    const base = `${outer}/outer/inner/app/4_0_0`
    const client = bulkClient(base)
    const statusUrl = await client.kickOff('system')
    expect(statusUrl.slice(0, -32)).to.equal(`${base}/$export/`)
    expect(await host.ended(statusUrl)).to.equal('completed')
    const manifest = await client.waitForExport(statusUrl)
    expect(manifest.request).to.equal(`${base}/$export`)
    const texts: string[] = []
    for (const { url } of manifest.output) texts.push((await ask(url)).text)
    expect(texts.map((text) => JSON.parse(text).id)).to.deep.equal(['p1'])
    await client.remove(statusUrl)
    expect((await ask(statusUrl)).status).to.equal(404)
  })

  const told: readonly (readonly [url: string, headers: Headers])[] = [
    ['https://fhir.example.org', { host: 'fhir.example.org', proto: 'https' }],
    ['https://fhir.example.org', { host: 'fhir.example.org', proto: 'HTTPS', port: '443' }],
    ['http://fhir.example.org', { host: 'fhir.example.org', port: '80' }],
    ['http://fhir.example.org:443', { host: 'fhir.example.org', port: '443' }],
    ['https://fhir.example.org:8443', { host: 'fhir.example.org:8443', proto: 'https' }],
    ['https://fhir.example.org:8443', { host: 'fhir.example.org:8443', proto: 'https', port: '9000' }],
    ['https://fhir.example.org:9000', { host: 'fhir.example.org', proto: 'https', port: '9000' }],
    ['https://a.example:9000', { host: 'a.example, b.example:1', proto: 'https, http', port: '9000, 1' }],
    ['https://a.example/fhir/r4', { host: 'a.example', proto: 'https', prefix: '/fhir/r4' }],
    ['http://a.example/fhir', { host: 'a.example', prefix: '/fhir/' }],
    ['http://a.example', { host: 'a.example', prefix: '/' }],
    ['http://a.example/x/y/z-._~0', { host: 'a.example', prefix: '/x/y,/z-._~0' }],
    ['http://[2001:db8::1]:8443', { host: '[2001:db8::1]:8443' }],
    ['https://[2001:db8::1]', { host: '[2001:db8::1]', proto: 'https', port: '443' }],
    ['https://[::1]:8443/fhir', { host: '[::1]', proto: 'https', port: '8443', prefix: '/fhir' }],
  ]
  for (const [url, forwarded] of told) {
    it(`is ${url} when a trusted proxy says ${JSON.stringify(forwarded)} [KO-10]`, async () => {
      await expectPublic(url, await serve(host.bulkExport, 'loopback'), named(forwarded))
    })
  }

  it('ends with the path that the router is mounted at', async () => {
    const server = await serve(host.bulkExport, 1, '/app')
    const headers = named({ host: 'a.example', prefix: '/outer' })
    await expectPublic('http://a.example/outer/app', server, headers, '/app')
    await expectPublic(`${server}/app`, server, {}, '/app')
  })

  it('keeps the host that the client named when the proxy only tells the rest', async () => {
    const server = await serve(host.bulkExport, true)
    const rest = named({ proto: 'https', port: '8443', prefix: '/fhir' })
    await expectPublic('https://a.example:8443/fhir', server, { ...rest, Host: 'a.example' })
    await expectPublic('https://a.example:1/fhir', server, { ...rest, Host: 'a.example:1' })
    await expectPublic(server.replace('http:', 'https:'), server, named({ proto: 'https' }))
  })

  const all = { host: 'evil.example', proto: 'https', port: '9000', prefix: '/evil' }
  const malformed: readonly (readonly [header: string, value: string])[] = [
    ...['exa mple', 'a/b', 'a@b', '<b>', '[', 'a:99999', ',a', 'a:b'].map(bad('Host')),
    ...['javascript', 'ftp', 'file', 'https:', ', https'].map(bad('Proto')),
    ...['0', '99999', '80a', '-1', '8.0', ',80'].map(bad('Port')),
    ...['fhir', '//evil.example', '/a/../b', '/..', '/.', '/a//b', '/a?b', '/a%2fb', '/a b'].map(
      bad('Prefix'),
    ),
    ...['/a#b', '/<b>', '/a\\b', '/a, b', '/a:b', '/a@b', 'https://evil.example'].map(bad('Prefix')),
  ]

  for (const trust of [undefined, false, '10.0.0.0/8', 0]) {
    it(`is never what a stranger says, with trust proxy ${JSON.stringify(trust)}`, async () => {
      const server = await serve(host.bulkExport, trust)
      await expectPublic(server, server, named(all))
      for (const [header, value] of malformed) {
        const { status, headers } = await ask(`${server}/4_0_0/$export`, { headers: { [header]: value } })
        expect(status, `${header}: ${value}`).to.equal(202)
        expect(headers['content-location']).to.match(new RegExp(`^${server}/4_0_0/`))
      }
    })
  }

  it('is refused when a trusted proxy says what cannot be', async () => {
    const server = await serve(host.bulkExport, true)
    const jobs = database.db.collection('bulkexport.jobs')
    const before = await jobs.countDocuments()
    for (const [header, value] of malformed) {
      const headers = { [header]: value }
      expectInvalid(await ask(`${server}/4_0_0/$export`, { headers }), header, value)
      expectInvalid(await ask(`${server}/4_0_0/$export/${'0'.repeat(32)}`, { headers }), header, value)
    }
    expect(await jobs.countDocuments()).to.equal(before)
  })

  it('is baseUrl where there is one, whatever anybody says', async () => {
    for (const trust of [false, true]) {
      const server = await serve(fixed.bulkExport, trust)
      await expectPublic('https://fixed.example.org/r4', server, named(all))
      for (const [header, value] of malformed) {
        const { headers } = await ask(`${server}/4_0_0/$export`, { headers: { [header]: value } })
        expect(headers['content-location']).to.match(/^https:\/\/fixed\.example\.org\/r4\/4_0_0\//)
      }
    }
  })
})

/** As the headers that proxies send. */
function named(forwarded: Headers): Headers {
  return Object.fromEntries(
    Object.entries(forwarded).map(([name, value]) => [`X-Forwarded-${name}`, value] as const),
  )
}

function bad(name: string): (value: string) => readonly [header: string, value: string] {
  return (value) => [`X-Forwarded-${name}`, value]
}

function expectInvalid({ status, headers, text }: Answer, header: string, value: string): void {
  const shown = `${header}: ${value}: ${text}`
  expect([status, headers['content-type']], shown).to.deep.equal([400, 'application/fhir+json'])
  const { resourceType, issue } = JSON.parse(text)
  expect([resourceType, issue[0].code, issue[0].expression], shown).to.deep.equal([
    ...['OperationOutcome', 'invalid', [header]],
  ])
}
