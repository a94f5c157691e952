import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { decodeJwt } from 'jose'
import type { HostProfile } from '../../plugin/index.js'
import type { TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import {
  type Answer,
  type Asked,
  ask,
  exported,
  kickOff,
  manifestOf,
  registerStrategy,
  SMART_AUTH,
  startProtectedHost,
  useOAuthServer,
} from '../support/protected-host.js'

interface SeenRequest {
  readonly user?: { readonly client_id?: string }
  readonly headers: Readonly<Record<string, string>>
  get(name: string): string | undefined
}

const PATIENTS = [
  { resourceType: 'Patient', id: 'of-a', managingOrganization: { display: 'client-a' } },
  { resourceType: 'Patient', id: 'of-b', managingOrganization: { display: 'client-b' } },
]
const GROUP = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
  member: PATIENTS.map(({ id }) => ({ entity: { reference: `Patient/${id}` } })),
}
/** The core knows v1 only. */
const SCOPE = 'system/*.read'

/** A host whose services keep what they see, and give patients to their own client only. */
function watched(): { readonly profiles: Record<string, HostProfile>; readonly seen: SeenRequest[] } {
  const seen: SeenRequest[] = []
  const watch = (resources: (client: string | undefined) => readonly object[]): HostProfile => ({
    versions: ['4_0_0'],
    service: {
      async search(_args, context) {
        const req = context.req as SeenRequest
        seen.push(req)
        return resources(req.user?.client_id)
      },
    },
  })
  const own = (client: string | undefined) =>
    PATIENTS.filter(({ managingOrganization }) => managingOrganization.display === client)
  return { seen, profiles: { Patient: watch(own), Group: watch(() => [GROUP]) } }
}

describe('the identity of a kick-off', () => {
  const database = useDatabase()
  const oauth = useOAuthServer(['client-a', 'client-b'])
  const [onFront, onBack] = [watched(), watched()]
  /** Answers HTTP only. */
  let front: TestHost
  /** Works, and never gets a request. */
  let back: TestHost

  beforeEach('start two hosts that share a database and a storage', async () => {
    for (const { seen } of [onFront, onBack]) seen.length = 0
    front = await startProtectedHost(database, { profiles: onFront.profiles, options: { workers: 0 } })
    const storage = pathToFileURL(front.folder).href
    back = await startProtectedHost(database, { profiles: onBack.profiles, options: { storage } })
  })
  afterEach('close the hosts', async () => {
    await back.close()
    await front.close()
  })

  for (const path of [
    '$export?_type=Patient',
    'Patient/$export?_type=Patient',
    'Group/g/$export?_type=Patient',
  ]) {
    it(`is what the services see in the worker of another host: ${path}`, async () => {
      const token = await oauth.token('client-a', SCOPE)
      await ask(`${front.base}/Patient`, { token })
      const byTheCore = onFront.seen.splice(0)[0]?.user
      const headers = { 'X-Tenant': 'north', Cookie: 'session=secret', 'X-Api-Key': 'secret' }
      const statusUrl = await kickOff(front, { token, headers }, path)
      expect(await exported(await manifestOf(front, statusUrl, { token }), { token })).to.deep.equal([
        'Patient/of-a',
      ])

      expect(onBack.seen).to.have.length.above(0)
      for (const req of [...onFront.seen, ...onBack.seen]) {
        expect(req.user).to.deep.equal(decodeJwt(token))
        expect(req.user, 'as in a search of the core').to.deep.equal(byTheCore)
        expect(req.get('X-Tenant')).to.equal('north')
        expect(Object.keys(req.headers)).not.to.include.members(['authorization'])
        expect([req.get('Authorization'), req.get('cookie')]).to.deep.equal([undefined, undefined])
        expect(JSON.stringify(req)).not.to.match(/secret/)
      }
      expect(onFront.seen, 'only what the kick-off itself reads').to.have.length(
        path.startsWith('Group') ? 1 : 0,
      )
    })
  }

  it('keeps apart what exports at the same time may read [KO-16 AU-11]', async () => {
    const clients = ['client-a', 'client-b', 'client-b', 'client-a']
    const results = clients.map(async (client) => {
      const token = await oauth.token(client, SCOPE)
      const statusUrl = await kickOff(front, { token }, '$export?_type=Patient')
      return await exported(await manifestOf(front, statusUrl, { token }), { token })
    })
    expect(await Promise.all(results)).to.deep.equal(clients.map((client) => [`Patient/of-${client.at(-1)}`]))
  })
})

describe('an access token', () => {
  const database = useDatabase()
  const oauth = useOAuthServer(['client-a'])
  let hosts: TestHost[] = []
  afterEach('close the hosts', async () => {
    for (const host of hosts) await host.close()
    hosts = []
  })
  const start = async (auth: object = SMART_AUTH, profiles = watched().profiles): Promise<TestHost> => {
    const host = await startProtectedHost(database, { auth, profiles })
    hosts.push(host)
    return host
  }

  /** Demands that the token is in nothing that anybody else reads. */
  async function expectNowhere(token: string, host: TestHost, answers: readonly Answer[]) {
    const collections = await database.db.collections()
    expect(collections.map(({ collectionName }) => collectionName)).to.include.members([
      ...['bulkexport.jobs', 'bulkexport.tasks'],
    ])
    const places = new Map<string, unknown>([
      ['the log', host.log],
      ['an answer', answers.map(({ headers, text }) => [...headers, text])],
    ])
    for (const collection of collections) {
      places.set(`the collection ${collection.collectionName}`, await collection.find().toArray())
    }
    const signature = token.split('.').at(-1) ?? token
    for (const [place, content] of places) {
      const text = JSON.stringify(content)
      expect(text.includes(signature), `the token is in ${place}: ${text.slice(0, 1500)}`).to.equal(false)
    }
  }

  const ways: readonly (readonly [way: string, (token: string) => Asked & { readonly query?: string }])[] = [
    ['in the Authorization header', (token) => ({ token })],
    [
      'in two headers, as some proxies send it',
      (token) => {
        return { token, headers: { 'X-Forwarded-Access-Token': token, 'X-Auth-Request-Access-Token': token } }
      },
    ],
    ['in a header of another proxy', (token) => ({ token, headers: { 'X-Auth-Token': `Bearer ${token}` } })],
    [
      'in the query',
      (token) => {
        return { query: `&access_token=${token}`, headers: { Prefer: 'respond-async, handling=lenient' } }
      },
    ],
    [
      'in the body',
      (token) => {
        return { method: 'POST', body: { resourceType: 'Parameters', access_token: token } }
      },
    ],
  ]
  for (const [way, askedWith] of ways) {
    it(`sent ${way} is in no log, no document and no answer`, async () => {
      const host = await start()
      const token = await oauth.token('client-a', SCOPE)
      const { query = '', ...asked } = askedWith(token)
      const accepted = await ask(`${host.base}/$export?_type=Patient${query}`, asked)
      const statusUrl = accepted.headers.get('content-location')
      const answers = [accepted]
      if (statusUrl !== null) {
        await host.ended(statusUrl)
        answers.push(await ask(statusUrl, { token }), await ask(`${statusUrl}/Patient-1.ndjson`, { token }))
        expect(answers.map(({ status }) => status)).to.deep.equal([202, 200, 200])
      }
      answers.push(await ask(`${host.base}/$export?_type=Nonsense`, { token }))
      await expectNowhere(token, host, answers)
    })
  }

  it('that is refused is in no log, no document and no answer', async () => {
    const host = await start()
    const good = await oauth.token('client-a', SCOPE)
    await manifestOf(host, await kickOff(host, { token: good }), { token: good })
    for (const kind of ['expired', 'for another audience', 'signed by another key'] as const) {
      const token = await oauth.badToken(kind, 'client-a', SCOPE)
      const answers = [
        await ask(`${host.base}/$export`, { token }),
        await ask(`${host.base}/$export/x`, { token }),
      ]
      expect(answers.map(({ status }) => status)).to.deep.equal([401, 401])
      await expectNowhere(token, host, answers)
    }
  })

  it('in what the strategy throws is not in the log', async () => {
    const token = await oauth.token('client-a', SCOPE)
    const strategy = registerStrategy('test-tells', ({ error }, { headers }) => {
      const cause = new Error(
        `GET https://auth.example.org/introspect?token=${headers['authorization']?.slice(7)}`,
      )
      error(new Error(`cannot introspect ${headers['authorization']}`, { cause }))
    })
    const host = await start({ ...SMART_AUTH, strategy })
    const answer = await ask(`${host.base}/$export`, { token })
    expect(answer.status).to.equal(401)
    expect(JSON.stringify(host.log)).to.include('cannot introspect').and.not.include(token)
  })

  it('that the strategy leaves on the user is not kept, and all else of the user is', async () => {
    const token = await oauth.token('client-a', SCOPE)
    const strategy = registerStrategy('test-leaves', ({ success }) =>
      success({ client_id: 'client-a', scope: SCOPE, token, tenants: ['north', { name: 'south' }] }),
    )
    const { profiles, seen } = watched()
    const host = await start({ ...SMART_AUTH, strategy }, profiles)
    const statusUrl = await kickOff(host, { token })
    await manifestOf(host, statusUrl, { token })
    await expectNowhere(token, host, [])
    const tenants = ['north', { name: 'south' }]
    for (const { user } of seen) {
      expect(user).to.deep.equal({ client_id: 'client-a', scope: SCOPE, token: '***', tenants })
    }
  })
})
