import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { importJWK, SignJWT } from 'jose'
import { childEnvironment } from '../../config/child-environment.js'
import { type ChildProgram, startProgram } from '../../scripts/child-program.js'
import { createKeyPair } from '../../scripts/oauth/demo-server.js'
import { freePort } from '../../scripts/servers/free-port.js'
import { filesIn, runClient } from '../support/export-client.js'
import { store } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { ask } from '../support/protected-host.js'

const AUDIENCE = 'http://server:3000'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

// The processes of docker/compose.yaml with the profile `auth`.
describe('the example host with OAUTH_ISSUER', () => {
  const database = useSuiteDatabase()
  const started: ChildProgram[] = []
  let issuer: string
  let base: string
  let keyFile: string
  let folder: string

  before('start the OAuth server and the host', async function () {
    this.timeout(60_000)
    const [oauthPort, port] = [await freePort(), await freePort()]
    issuer = `http://127.0.0.1:${oauthPort}`
    folder = await mkdtemp(join(tmpdir(), 'demo-authorization-'))
    keyFile = join(folder, 'sample.jwk')
    await store(database, [{ resourceType: 'Patient', id: 'p1' }])
    const environment = {
      ...{ NODE_ENV: 'production', OAUTH_ISSUER: issuer, OAUTH_AUDIENCE: AUDIENCE, HOST: '127.0.0.1' },
      ...{ MONGODB_URI: database.uri, MONGODB_DB: database.name },
      EXPORT_STORAGE: pathToFileURL(join(folder, 'exports')).href,
    }
    const start = async (name: string, ready: string, port: number, words: readonly string[] = []) =>
      started.push(
        await startProgram({
          ...{ name, ready, stopped: 'process.stopping', program: `scripts/${name}.ts`, arguments: words },
          environment: { ...environment, PORT: String(port) },
        }),
      )
    await start('oauth', 'oauth.listening', oauthPort, ['--client', 'sample', '--key-file', keyFile])
    await start('start', 'host.listening', port)
    base = `http://127.0.0.1:${port}/4_0_0`
  })
  after('end them', async () => {
    for (const program of started) await program.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const out = () => join(folder, randomUUID())

  it('exports for the client that has the key', async () => {
    const directory = out()
    const words = ['--url', base, '--out', directory, '--client-id', 'sample', '--private-key', keyFile]
    const { code, stderr } = await runClient(words)
    expect(code, stderr).to.equal(0)
    expect(await filesIn(directory)).to.include('Patient-1.ndjson')
  })

  it('tells nothing to those without a token, or with another key', async () => {
    for (const path of ['$export', 'Patient', 'Patient/p1', 'Patient/$export']) {
      expect((await ask(`${base}/${path}`)).status, path).to.equal(401)
      expect((await ask(`${base}/${path}`, { token: 'e30.e30.x' })).status, path).to.equal(401)
    }
    const stranger = join(folder, `${randomUUID()}.jwk`)
    await writeFile(stranger, JSON.stringify((await createKeyPair('sample')).privateJwk))
    const { code } = await runClient([
      ...['--url', base, '--out', out(), '--client-id', 'sample', '--private-key', stranger],
    ])
    expect(code).to.equal(8)
  })

  it('is found to be alive without a token, and dead where nothing listens', async () => {
    const healthy = async (port: string) => {
      const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/healthy.ts'], {
        env: childEnvironment({ PORT: port }),
        stdio: 'ignore',
      })
      const [code] = await once(child, 'exit')
      return code
    }
    expect(await healthy(new URL(base).port)).to.equal(0)
    expect(await healthy(String(await freePort()))).to.equal(1)
  })

  const assertion = async (claims: object, id = 'sample') => {
    const jwk = JSON.parse(await readFile(keyFile, 'utf8'))
    const now = Math.floor(Date.now() / 1000)
    const usual = { iss: id, sub: id, aud: `${issuer}/token`, exp: now + 60, jti: randomUUID() }
    return new SignJWT({ ...usual, ...claims })
      .setProtectedHeader({ alg: 'ES384', kid: 'sample' })
      .sign(await importJWK(jwk, 'ES384'))
  }
  const tokenRequest = async (signed: string, scope = 'system/*.rs') => {
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        ...{ grant_type: 'client_credentials', scope },
        ...{ client_assertion_type: ASSERTION_TYPE, client_assertion: signed },
      }),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  it('gives a token for an assertion once, and only to read', async () => {
    const signed = await assertion({})
    const first = await tokenRequest(signed, 'system/*.rs system/*.cruds system/Patient.write')
    expect([first.status, first.body['scope']]).to.deep.equal([200, 'system/*.rs'])
    const second = await tokenRequest(signed)
    expect([second.status, second.body['error']]).to.deep.equal([401, 'invalid_client'])
    const none = await tokenRequest(await assertion({}), 'system/*.write')
    expect([none.status, none.body['error']]).to.deep.equal([400, 'invalid_scope'])
  })

  const now = () => Math.floor(Date.now() / 1000)
  const wrong: readonly [string, () => object][] = [
    ['for another audience', () => ({ aud: 'http://other.example.org/token' })],
    ['of another client', () => ({ iss: 'other', sub: 'other' })],
    ['that another client has made', () => ({ iss: 'other' })],
    ['that has expired', () => ({ exp: now() - 60 })],
    ['that never expires', () => ({ exp: undefined })],
    ['that is valid for a day', () => ({ exp: now() + 86_400 })],
    ['without an id', () => ({ jti: undefined })],
  ]
  for (const [title, claims] of wrong) {
    it(`gives no token for an assertion ${title}`, async () => {
      const { status, body } = await tokenRequest(await assertion(claims()))
      expect([status, body['error']]).to.deep.equal([401, 'invalid_client'])
    })
  }
})
