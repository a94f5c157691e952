import { expect } from 'chai'
import type { TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { BAD_TOKENS } from '../support/oauth-server.js'
import {
  type Asked,
  ask,
  expectRefusal,
  exported,
  Gate,
  kickOff,
  manifestOf,
  startProtectedHost,
  useNodeEnv,
  useOAuthServer,
} from '../support/protected-host.js'

const SUBJECT = { reference: 'Patient/p1' }
const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Patient', id: 'p2' },
  { resourceType: 'Condition', id: 'c1', subject: SUBJECT },
  { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: [{ entity: SUBJECT }] },
]
const OBSERVATION = { resourceType: 'Observation', id: 'o1', subject: SUBJECT }
const PARAMETERS = { resourceType: 'Parameters', parameter: [] }

/** Where something can be asked for, once A has a job that is complete and one that runs. */
interface Endpoint {
  readonly name: string
  readonly of: 'kick-off' | 'status' | 'DELETE' | 'file'
  readonly url: string
  readonly asked: Asked
}

describe('exports with the authorisation of the host [AU-01]', () => {
  const database = useSuiteDatabase()
  const oauth = useOAuthServer(['client-a', 'client-b'])
  const gate = new Gate()
  let host: TestHost
  let a: Asked
  let complete: string
  let running: string
  const tokenOf = async (client: string, scope: string): Promise<Asked> => {
    return { token: await oauth.token(client, scope) }
  }

  before('start a host, and two jobs of client A', async () => {
    const search = async () => {
      await gate.pass()
      return [OBSERVATION]
    }
    const profiles = { Observation: { service: { search }, versions: ['4_0_0'] } }
    host = await startProtectedHost(database, { resources: RESOURCES, profiles })
    a = await tokenOf('client-a', 'system/*.read')
    complete = await kickOff(host, a, '$export?_type=Patient,Condition')
    running = await kickOff(host, a, '$export?_type=Observation')
    await host.ended(complete)
    await gate.reached
  })
  after(async () => {
    gate.open()
    await host.close()
  })

  function endpoints(): readonly Endpoint[] {
    const levels = ['$export', 'Patient/$export', 'Group/g/$export', '%24export']
    const kickOffs = levels.flatMap((path) =>
      [{ method: 'GET' }, { method: 'POST' }, { body: PARAMETERS }].map((asked) => ({ path, asked })),
    )
    const jobs = [
      { job: 'complete', url: complete, file: 'Patient-1.ndjson' },
      { job: 'running', url: running, file: 'Observation-1.ndjson' },
    ]
    return [
      ...kickOffs.map(({ path, asked }): Endpoint => {
        const name = `${asked.method ?? 'POST with a body'} ${path}`
        return { name, of: 'kick-off', url: `${host.base}/${path}`, asked }
      }),
      ...jobs.flatMap(({ job, url, file }): readonly Endpoint[] => [
        { name: `status of the ${job} job`, of: 'status', url, asked: {} },
        { name: `DELETE of the ${job} job`, of: 'DELETE', url, asked: { method: 'DELETE' } },
        { name: `file of the ${job} job`, of: 'file', url: `${url}/${file}`, asked: {} },
      ]),
    ]
  }

  /** Asks everywhere, or at some endpoints, and demands the same refusal, and that no job comes of it. */
  async function expectRefusedAt(asked: Asked, status: number, code: string, of?: readonly Endpoint['of'][]) {
    const jobs = database.db.collection('bulkexport.jobs')
    const before = await jobs.countDocuments()
    for (const endpoint of endpoints().filter((one) => of?.includes(one.of) ?? true)) {
      const { url, name } = endpoint
      const answer = await ask(url, { ...endpoint.asked, ...asked })
      expectRefusal(answer, status, code, name)
      expect(answer.text, name).not.to.match(/Patient\/|p1|client-a/)
      if (asked.token)
        expect(answer.text + JSON.stringify([...answer.headers]), name).not.to.include(asked.token)
    }
    expect(await jobs.countDocuments(), 'jobs').to.equal(before)
  }

  describe('while one is complete and one runs', () => {
    afterEach('A still has both jobs', async () => {
      expect([(await ask(complete, a)).status, (await ask(running, a)).status]).to.deep.equal([200, 202])
    })

    describe('they are refused everywhere with 401 [AU-02 AU-05 ERR-04 ST-15 DL-07 FL-08]', () => {
      const headers: Readonly<Record<string, string>> = {
        'no scheme': 'garbage',
        'no token': 'Bearer',
        'two tokens': 'Bearer one two',
        'another scheme': `Basic ${Buffer.from('client-a:secret').toString('base64')}`,
        'an unknown scheme': 'None client-a',
      }
      it('without an Authorization header', () => expectRefusedAt({}, 401, 'login'))
      for (const [what, Authorization] of Object.entries(headers)) {
        it(`with ${what} in it`, () => expectRefusedAt({ headers: { Authorization } }, 401, 'login'))
      }
      it('with a good token, but no scheme', async () =>
        expectRefusedAt({ headers: { Authorization: a.token ?? '' } }, 401, 'login'))
      it('with a good token in another scheme', async () =>
        expectRefusedAt({ headers: { Authorization: `Token ${a.token}` } }, 401, 'login'))
      for (const kind of BAD_TOKENS) {
        it(`with a bad token: ${kind}`, async () => {
          const token = await oauth.badToken(kind, 'client-a', 'system/*.read')
          await expectRefusedAt({ token }, 401, 'login')
        })
      }
    })

    it('they belong to a client: to another one they are as unknown as those that never were [ST-16]', async () => {
      const b = await tokenOf('client-b', 'system/*.*')
      await expectRefusedAt(b, 404, 'not-found', ['status', 'DELETE', 'file'])
      for (const { url, asked } of endpoints().filter(({ of }) => of !== 'kick-off')) {
        const unknown = url.replace(/[0-9a-f]{32}/, '0'.repeat(32))
        const [answer, expected] = [
          await ask(url, { ...asked, ...b }),
          await ask(unknown, { ...asked, ...b }),
        ]
        expect(answer.text).to.equal(expected.text)
        expect([...answer.headers.keys()]).to.deep.equal([...expected.headers.keys()])
      }
    })

    it('the ids of one client do not open the files of this one', async () => {
      const b = await tokenOf('client-b', 'system/*.read')
      const own = await kickOff(host, b, '$export?_type=Condition')
      await manifestOf(host, own, b)
      const [idOfA, idOfB] = [complete, own].map((url) => url.split('/').at(-1) ?? '')
      expect((await ask(`${own}/Condition-1.ndjson`, b)).status).to.equal(200)
      for (const path of [`${idOfB}/Patient-1.ndjson`, `${idOfB}/..%2f${idOfA}%2fPatient-1.ndjson`]) {
        expectRefusal(await ask(`${host.base}/$export/${path}`, b), 404, 'not-found', path)
      }
      expectRefusal(await ask(own, a), 404, 'not-found', 'the other way round')
      expect((await ask(own, { ...b, method: 'DELETE' })).status).to.equal(202)
    })

    for (const scope of ['', 'openid', 'user/*.read patient/*.rs', 'system/*.write', 'system/*.rs?_id=p1']) {
      it(`they are refused with 403 to the client itself with the scope "${scope}"`, async () => {
        const narrow = await tokenOf('client-a', scope)
        await expectRefusedAt(narrow, 403, 'forbidden', ['kick-off'])
        expectRefusal(await ask(`${complete}/Patient-1.ndjson`, narrow), 403, 'forbidden', 'file')
      })
    }

    for (const scope of ['', 'system/Organization.read', 'system/Patient.read']) {
      // Bulk Data 2.0.0, "Security Considerations": the scopes cover all resources being exported.
      it(`they have a status and a DELETE that are refused with 403 with the scope "${scope}" [AU-02 ST-15 DL-07]`, async () => {
        const narrow = await tokenOf('client-a', scope)
        await expectRefusedAt(narrow, 403, 'forbidden', ['status', 'DELETE'])
      })
    }

    it('they give each file to tokens that cover its type only [AU-02 FL-09]', async () => {
      const types = ['Patient', 'Condition']
      for (const type of types) {
        const narrow = await tokenOf('client-a', `system/${type}.rs`)
        for (const other of types) {
          const answer = await ask(`${complete}/${other}-1.ndjson`, narrow)
          if (other === type) expect(answer.status, `${type}: ${answer.text}`).to.equal(200)
          else expect(expectRefusal(answer, 403, 'forbidden')).to.include(other)
        }
      }
    })

    it('they leave the metadata open, and the API of the host protected [AU-12]', async () => {
      expect((await ask(`${host.base}/metadata`)).status).to.equal(200)
      expect((await ask(`${host.base}/Patient`)).status).to.equal(401)
      expect((await ask(`${host.base}/Patient`, a)).status).to.equal(200)
    })

    describe('and NODE_ENV says test', () => {
      useNodeEnv('test')

      it('they are as protected, although the core asks for nothing then', async () => {
        const careless = await startProtectedHost(database, { types: ['Patient'], options: { workers: 0 } })
        try {
          expect((await ask(`${careless.base}/Patient`)).status).to.equal(200)
          expectRefusal(await ask(`${careless.base}/$export`), 401, 'login')
          expectRefusal(await ask(complete.replace(host.base, careless.base)), 401, 'login')
          expect((await ask(`${careless.base}/$export`, a)).status).to.equal(202)
        } finally {
          await careless.close()
        }
      })
    })
  })

  describe('after all of that', () => {
    it('they go on under a new token, and end as if nothing had been [AU-07 MF-03]', async () => {
      const later = await tokenOf('client-a', 'system/*.rs')
      expect(later.token).not.to.equal(a.token)
      const manifest = await manifestOf(host, complete, later)
      expect(manifest.requiresAccessToken).to.equal(true)
      expect(await exported(manifest, later)).to.deep.equal(['Condition/c1', 'Patient/p1', 'Patient/p2'])
      const other = await kickOff(host, a, '$export?_type=Observation')
      gate.open()
      for (const statusUrl of [running, other]) {
        expect(await exported(await manifestOf(host, statusUrl, later), later)).to.deep.equal([
          'Observation/o1',
        ])
      }
      running = await kickOff(host, a, '$export?_type=Observation')
      await host.ended(running)
      expect((await ask(running, { ...later, method: 'DELETE' })).status).to.equal(202)
      expectRefusal(await ask(running, later), 404, 'not-found')
    })
  })
})
