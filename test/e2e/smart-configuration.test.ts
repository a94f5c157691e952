import { expect } from 'chai'
import type { RequestHandler } from 'express'
import {
  type BulkExportOptions,
  createBulkExport,
  ExportError,
  type HostProfile,
} from '../../plugin/index.js'
import { createHostConfig } from '../../scripts/host/index.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { kickOff, SMART_AUTH, useOAuthServer } from '../support/protected-host.js'

type Document = Readonly<Record<string, unknown>>

const CLIENT = 'backend-client'
const TOKEN = 'https://auth.example.org/token'
const SECURITY = [{ url: 'token', valueUri: TOKEN }]
const WELL_KNOWN = '.well-known/smart-configuration'

describe('.well-known/smart-configuration', () => {
  const database = useSuiteDatabase()
  const oauth = useOAuthServer([CLIENT])
  const hosts: TestHost[] = []
  afterEach('close the hosts', async () => {
    for (const host of hosts.splice(0)) await host.close()
  })

  /** A host with these settings in the configuration that it shares with the core. */
  async function start(
    settings: object,
    {
      options,
      ...others
    }: Omit<TestHostOptions, 'options'> & { readonly options?: Partial<BulkExportOptions> } = {},
  ): Promise<TestHost> {
    const { profiles, ...rest } = createHostConfig({ db: database.db })
    const config = { ...rest, profiles: { Patient: profiles['Patient'] as HostProfile }, ...settings }
    const host = await startHost(database, { ...others, options: { workers: 0, ...options, config } })
    hosts.push(host)
    return host
  }
  const protectedHost = (options: Partial<BulkExportOptions> = {}, security: unknown = SECURITY) =>
    start({ auth: SMART_AUTH, security }, { options })

  it('is plain JSON for whoever asks, below the base URL and at the root [AU-08]', async () => {
    const { base } = await protectedHost()
    const root = new URL(base).origin
    for (const place of [base, base.replace('4_0_0', '4_0_1'), root]) {
      const response = await fetch(`${place}/${WELL_KNOWN}`)
      expect(response.status, place).to.equal(200)
      expect(response.headers.get('content-type'), place).to.equal('application/json')
      expect(response.headers.get('access-control-allow-origin'), place).to.equal('*')
      expect(await response.json(), place).to.deep.equal({
        token_endpoint: TOKEN,
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
        scopes_supported: ['system/*.read', 'system/*.rs'],
        capabilities: ['client-confidential-asymmetric', 'permission-v1', 'permission-v2'],
      })
    }
  })

  it('has the same headers for HEAD, and no body', async () => {
    const { base } = await protectedHost()
    const [get, head] = [
      await fetch(`${base}/${WELL_KNOWN}`),
      await fetch(`${base}/${WELL_KNOWN}`, { method: 'HEAD' }),
    ]
    const ofConnection = ['connection', 'keep-alive', 'date']
    const kept = ({ headers }: Response) => [...headers].filter(([name]) => !ofConnection.includes(name))
    expect(head.status).to.equal(200)
    expect(kept(head)).to.deep.equal(kept(get))
    expect(head.headers.get('content-length')).to.equal(String((await get.text()).length))
    expect(await head.text()).to.equal('')
  })

  it('leads to a token endpoint whose tokens start exports [AU-08]', async () => {
    const metadata = (await (
      await fetch(`${oauth.issuer}/.well-known/openid-configuration`)
    ).json()) as Document
    const host = await protectedHost({}, [{ url: 'token', valueUri: `${oauth.issuer}/token` }])
    const document = await documentOf(host)
    const shared = ['token_endpoint', 'grant_types_supported', 'token_endpoint_auth_methods_supported']
    for (const name of shared)
      expect([metadata[name]].flat(), name).to.include.members([document[name]].flat())
    for (const scope of document['scopes_supported'] as readonly string[]) {
      await kickOff(host, { token: await oauth.token(CLIENT, scope) })
    }
  })

  it('names every endpoint that the host names', async () => {
    const names = ['authorize', 'token', 'register', 'manage', 'introspect', 'revoke', 'toString', 'other']
    const security = names.map((url) => ({ url, valueUri: `https://auth.example.org/${url}` }))
    const document = await documentOf(await protectedHost({}, security))
    const endpoints = Object.entries(document).filter(([, value]) => String(value).startsWith('https:'))
    expect(Object.fromEntries(endpoints)).to.deep.equal({
      authorization_endpoint: 'https://auth.example.org/authorize',
      token_endpoint: 'https://auth.example.org/token',
      registration_endpoint: 'https://auth.example.org/register',
      management_endpoint: 'https://auth.example.org/manage',
      introspection_endpoint: 'https://auth.example.org/introspect',
      revocation_endpoint: 'https://auth.example.org/revoke',
    })
  })

  it('has the fields of the option, beside and in the place of its own', async () => {
    const given = {
      token_endpoint: 'https://other.example.org/token',
      jwks_uri: 'https://other.example.org/jwks',
      scopes_supported: ['system/Patient.rs'],
      associated_endpoints: [{ url: 'https://other.example.org/fhir', capabilities: ['smart-app-state'] }],
    }
    const before = await documentOf(await protectedHost())
    const after = await documentOf(await protectedHost({ smartConfiguration: given }))
    expect(after).to.deep.equal({ ...before, ...given })
    const alone = await documentOf(
      await start({ auth: SMART_AUTH }, { options: { smartConfiguration: given } }),
    )
    expect(alone).to.deep.equal(after)
  })

  it('keeps what an option leaves undefined', async () => {
    const before = await documentOf(await protectedHost())
    const host = await protectedHost({ smartConfiguration: { token_endpoint: undefined } })
    expect(await documentOf(host)).to.deep.equal(before)
  })

  it('is there for hosts with a rule of their own', async () => {
    const authorize = async () => {
      throw new ExportError(401, 'Who are you?', { code: 'login' })
    }
    const host = await start({ security: SECURITY }, { options: { authorize } })
    expect((await fetch(`${host.base}/$export`)).status).to.equal(401)
    expect((await documentOf(host))['token_endpoint']).to.equal(TOKEN)
  })

  describe('is left to the host', () => {
    const cases: Readonly<Record<string, () => Promise<TestHost>>> = {
      'without authorisation': () => start({ security: SECURITY }),
      'without config.security': () => start({ auth: SMART_AUTH }),
      'without a token endpoint': () =>
        protectedHost({}, [{ url: 'authorize', valueUri: 'https://a.example.org/' }]),
      'with a relative token endpoint': () => protectedHost({}, [{ url: 'token', valueUri: '/token' }]),
      'with a token endpoint that is none': () =>
        protectedHost({}, [{ url: 'token', valueUri: 'javascript:token' }, { url: 'token' }, null, 'token']),
      'with config.security that is no list': () => protectedHost({}, { url: 'token', valueUri: TOKEN }),
      'when the option says so': () => protectedHost({ smartConfiguration: false }),
    }
    for (const [name, begin] of Object.entries(cases)) {
      it(name, async () => {
        const { base, log } = await begin()
        for (const place of [base, new URL(base).origin]) await expectPassedOn(`${place}/${WELL_KNOWN}`)
        expect(log.map(({ message }) => message)).to.not.include('smart-configuration.none')
      })
    }

    it('for other methods and places', async () => {
      const { base } = await protectedHost()
      await expectPassedOn(`${base}/${WELL_KNOWN}`, 'POST')
      await expectPassedOn(`${base}/${WELL_KNOWN}/more`)
      await expectPassedOn(`${base}/Patient/${WELL_KNOWN}`)
      await expectPassedOn(`${base}/xwell-known/smart-configuration`)
    })

    it('that serves its own before the plugin', async () => {
      const own: RequestHandler = (request, response, next) => {
        if (request.path.endsWith(WELL_KNOWN))
          response.json({ token_endpoint: 'https://own.example.org/token' })
        else next()
      }
      const host = await start({ auth: SMART_AUTH, security: SECURITY }, { before: own })
      expect(await documentOf(host)).to.deep.equal({ token_endpoint: 'https://own.example.org/token' })
    })

    it('with a warning when an option has no effect', async () => {
      const host = await start({}, { options: { smartConfiguration: { token_endpoint: TOKEN } } })
      await expectPassedOn(`${host.base}/${WELL_KNOWN}`)
      const warnings = host.log.filter(({ message }) => message === 'smart-configuration.none')
      expect(warnings.map(({ level }) => level)).to.deep.equal(['warn'])
    })
  })

  describe('as an option', () => {
    const wrong: Readonly<Record<string, unknown>> = {
      'is no URL': { token_endpoint: 'token' },
      'is of another scheme': { token_endpoint: 'ftp://auth.example.org/token' },
      'is a script': { token_endpoint: 'javascript:https://auth.example.org/token' },
      'has a space after it': { token_endpoint: `${TOKEN} ` },
      'has a space before it': { token_endpoint: ` ${TOKEN}` },
      'has a line break in it': { token_endpoint: 'https://auth.example.org/to\nken' },
      'has a fragment': { token_endpoint: `${TOKEN}#there` },
      'has no host': { token_endpoint: 'https://' },
      'is a list': { token_endpoint: [TOKEN] },
      'is another endpoint that is no URL': { introspection_endpoint: '/introspect' },
      'is a text where SMART has a list': { capabilities: 'permission-v2' },
      'is not JSON': { extra: () => 'text' },
      'is true': true,
      'is a URL': TOKEN,
    }
    for (const [name, smartConfiguration] of Object.entries(wrong)) {
      it(`is refused at once when it ${name}`, () => {
        const options = { config: { profiles: {} }, mongodb: { uri: database.uri }, storage: 'file:///tmp' }
        const create = () => createBulkExport({ ...options, smartConfiguration } as BulkExportOptions)
        expect(create).to.throw(/^createBulkExport: [\s\S]*smartConfiguration/)
      })
    }
  })
})

async function documentOf({ base }: TestHost): Promise<Document> {
  const response = await fetch(`${base}/${WELL_KNOWN}`)
  expect(response.status).to.equal(200)
  return (await response.json()) as Document
}

/** Demands the answer of the core, which knows no such place. */
async function expectPassedOn(url: string, method = 'GET'): Promise<void> {
  const response = await fetch(url, { method })
  expect(response.status, url).to.equal(404)
  expect(await response.text(), url).to.include('Invalid url')
}
