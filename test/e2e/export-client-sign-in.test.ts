import { createPrivateKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { namesOf, resourcesIn, runClient, useFolder } from '../support/export-client.js'
import type { TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { startProtectedHost, useOAuthServer } from '../support/protected-host.js'
import {
  type SeenRequest,
  startTamperProxy,
  type Tampering,
  type TamperProxy,
} from '../support/tamper-proxy.js'

const CLIENT = 'nightly'
const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Condition', id: 'c1', subject: { reference: 'Patient/p1' } },
]

describe('the export client, signed in as a backend service', () => {
  const database = useSuiteDatabase()
  const oauth = useOAuthServer([CLIENT, 'another'])
  const folder = useFolder()
  let host: TestHost
  let fhir: TamperProxy
  let tamper: (request: SeenRequest) => Tampering | undefined
  let keyFile: string

  before('start a protected host', async () => {
    host = await startProtectedHost(database, { resources: RESOURCES })
  })
  after(() => host.close())
  beforeEach('start a proxy that sees what is asked', async () => {
    tamper = () => undefined
    fhir = await startTamperProxy(host.base, (request) => {
      if (!request.path.endsWith('.well-known/smart-configuration')) return tamper(request)
      // Signatures are for the server's own token endpoint.
      const body = JSON.stringify({
        token_endpoint: `${oauth.issuer}/token`,
        capabilities: ['permission-v2'],
      })
      return { answer: { status: 200, headers: { 'Content-Type': 'application/json' }, body } }
    })
    keyFile = join(folder.path, 'key.json')
    await writeFile(keyFile, JSON.stringify(oauth.privateJwk(CLIENT)))
  })
  afterEach(() => fhir.close())

  const run = (...words: readonly string[]) =>
    runClient([
      ...['--url', fhir.base, '--out', join(folder.path, 'out'), '--retries', '0'],
      ...['--client-id', CLIENT, '--private-key', keyFile, ...words],
    ])
  const secrets = () => [String(oauth.privateJwk(CLIENT).d), 'PRIVATE KEY']
  const bearers = () =>
    new Set(fhir.requests.map(({ headers }) => headers.authorization).filter((each) => each !== undefined))

  it('finds the token endpoint, and exports what its scope covers', async () => {
    const { code, stdout, stderr } = await run('--scope', 'system/Patient.rs')
    expect(code, stderr).to.equal(0)
    expect(namesOf(await resourcesIn(join(folder.path, 'out')))).to.deep.equal(['Patient/p1'])
    expect(bearers().size, 'tokens').to.equal(1)
    for (const secret of [...secrets(), ...[...bearers()].map((each) => each.slice('Bearer '.length))]) {
      expect(stdout + stderr).to.not.include(secret)
    }
  })

  it('takes a key in PEM, and everything by default', async () => {
    const key = createPrivateKey({ key: oauth.privateJwk(CLIENT) as never, format: 'jwk' })
    await writeFile(keyFile, key.export({ type: 'pkcs8', format: 'pem' }))
    const { code, stderr } = await run()
    expect(code, stderr).to.equal(0)
    expect(namesOf(await resourcesIn(join(folder.path, 'out')))).to.deep.equal(['Condition/c1', 'Patient/p1'])
  })

  it('picks a key of a set by its name', async () => {
    const keys = [oauth.privateJwk('another'), oauth.privateJwk(CLIENT)]
    await writeFile(keyFile, JSON.stringify({ keys }))
    const several = await run()
    expect([several.code, several.stderr.includes('--key-id')]).to.deep.equal([2, true])
    const { code, stderr } = await run('--key-id', CLIENT)
    expect(code, stderr).to.equal(0)
  })

  it('gets another token when one is refused on the way, once', async () => {
    let refusals = 0
    tamper = ({ path, method }) => {
      const isPoll = method === 'GET' && /\$export\/[^/.]+$/.test(path)
      return isPoll && ++refusals === 1 ? { answer: { status: 401 } } : undefined
    }
    const { code, stderr } = await run()
    expect(code, stderr).to.equal(0)
    expect(bearers().size, 'tokens').to.equal(2)
    tamper = () => ({ answer: { status: 401 } })
    const refused = await run('--out', join(folder.path, 'refused'))
    expect(refused.code).to.equal(8)
  })

  it('says what the token endpoint says, and never what it was sent', async () => {
    await writeFile(keyFile, JSON.stringify({ ...oauth.privateJwk('another'), kid: CLIENT }))
    const { code, stdout, stderr } = await run()
    expect(code).to.equal(8)
    expect(stderr).to.match(/token endpoint refused: HTTP 401. invalid_client/)
    expect(fhir.requests.some(({ path }) => path.endsWith('$export'))).to.equal(false)
    for (const secret of [String(oauth.privateJwk('another').d), 'eyJ']) {
      expect(stdout + stderr).to.not.include(secret)
    }
  })

  it('takes a token that somebody else has got, and gives it to nobody else', async () => {
    const token = await oauth.token(CLIENT, 'system/Patient.read')
    const words = ['--url', fhir.base, '--out', join(folder.path, 'out'), '--retries', '0']
    const { code, stdout, stderr } = await runClient(words, `${token}\n`)
    expect(code, stderr).to.equal(0)
    expect(stdout + stderr).to.not.include(token)
    const without = await runClient([...words, '--out', join(folder.path, 'none')])
    expect(without.code).to.equal(8)
    expect(without.stderr).to.include('HTTP 401')
  })

  const WRONG_KEYS = {
    'no key at all': 'secret words that nobody shall see',
    'a public key': JSON.stringify({ kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' }),
    'no key in a set': '{"keys":[]}',
    'half a file': '{"kty":"EC","d":"secret words',
  }
  for (const [name, content] of Object.entries(WRONG_KEYS)) {
    it(`explains what kind of key it wants when it gets ${name}`, async () => {
      await writeFile(keyFile, content)
      const { code, stderr } = await run()
      expect(code).to.equal(2)
      expect(stderr).to.include(keyFile).and.include('ES384')
      expect(stderr).to.not.include('secret words')
      expect(fhir.requests).to.deep.equal([])
    })
  }
})
