import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { EnvironmentCredential } from '@azure/identity'
import { ContainerClient, type StoragePipelineOptions } from '@azure/storage-blob'
import { expect } from 'chai'
import { azureStorage } from '../../plugin/storage/azure.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { type Azurite, startAzurite } from '../../scripts/servers/azurite.js'
import { openOrSkip } from '../support/real-server.js'
import { azureSetup, errorOf, source } from './azure-setup.js'

const HOUR = 3_600_000
const soon = () => new Date(Date.now() + HOUR)
const sign = async (storage: ExportStorage, key: string, expires = soon()) =>
  new URL((await storage.signedUrl?.(key, expires)) ?? '')

describe('URLs that Azure signs by the account key', () => {
  const setup = azureSetup()
  const open = () => azureStorage({ client: setup.container, prefix: 'a b' })

  const keys = ['job/Patient-1.ndjson', 'with space/ä€日\u{1f600}.ndjson', 'odd/100%25 & #+=;@!$(),[]{}~^.x']
  for (const key of keys) {
    it(`give ${key} to a plain fetch, whole and in part`, async () => {
      const bytes = randomBytes(50_000)
      await open().write(key, bytesOf(bytes), { contentType: 'application/fhir+ndjson' })
      const url = await sign(open(), key)
      const response = await fetch(url)
      expect(response.status).to.equal(200)
      expect(response.headers.get('content-type')).to.equal('application/fhir+ndjson')
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).to.equal(true)
      const part = await fetch(url, { headers: { range: 'bytes=10-19' } })
      expect(Buffer.from(await part.arrayBuffer())).to.deep.equal(bytes.subarray(10, 20))
    })
  }

  it('give what is kept as gzip to whoever unpacks it', async () => {
    const bytes = Buffer.from('{"resourceType":"Patient"}\n'.repeat(1000))
    const packed = gzipSync(bytes)
    await open().write('job/a', bytesOf(packed), { contentEncoding: 'gzip' })
    const response = await fetch(await sign(open(), 'job/a'))
    expect(response.headers.get('content-encoding')).to.equal('gzip')
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).to.equal(true)
    expect((await buffer(await open().read('job/a'))).equals(packed)).to.equal(true)
  })

  it('have no key, and read that one blob until they expire', async () => {
    const storage = open()
    for (const key of ['job/a', 'job/b']) await storage.write(key, source(key))
    const url = await sign(storage, 'job/a')
    expect(decodeURIComponent(url.href)).to.not.include(setup.azurite.accountKey)
    expect(url.searchParams.get('sp')).to.equal('r')
    expect(url.searchParams.get('sr')).to.equal('b')
    expect(url.searchParams.get('spr')).to.equal('https,http')
    expect(Math.abs(Date.parse(url.searchParams.get('se') ?? '') - soon().getTime())).to.be.below(5000)
    const other = new URL(url.href.replace('job/a', 'job/b').replace('job%2Fa', 'job%2Fb'))
    expect(other.href).to.not.equal(url.href)
    const attempts: readonly [string, URL, RequestInit][] = [
      ['reading another', other, {}],
      ['an expired one', await sign(storage, 'job/a', new Date(Date.now() - 60_000)), {}],
      ['removing', url, { method: 'DELETE' }],
      ['writing', url, { method: 'PUT', body: 'x', headers: { 'x-ms-blob-type': 'BlockBlob' } }],
      ['listing', new URL(`${setup.container.url}?restype=container&comp=list&${url.searchParams}`), {}],
    ]
    for (const [what, target, init] of attempts) {
      const { status } = await fetch(target, init)
      expect(status, what).to.equal(403)
    }
    expect(await (await fetch(url)).text()).to.equal('job/a')
  })

  it('work with HTTPS only where the account has it', async () => {
    const connectionString = `AccountName=team1;AccountKey=${setup.azurite.accountKey};EndpointSuffix=core.windows.net;DefaultEndpointsProtocol=https`
    const url = await sign(azureStorage({ connectionString, container: 'exports' }), 'job/a')
    expect(url.origin).to.equal('https://team1.blob.core.windows.net')
    expect(url.searchParams.get('spr')).to.equal('https')
  })
})

describe('URLs that Azure signs for an identity', () => {
  let directory: string
  let azurite: Azurite
  let ca: Buffer
  let container: ContainerClient
  before('start Azurite with a certificate of its own', async function () {
    directory = await mkdtemp(join(tmpdir(), 'bulk-export-tls-'))
    const certFile = join(directory, 'cert.pem')
    const keyFile = join(directory, 'key.pem')
    const made = [
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      keyFile,
      '-out',
      certFile,
    ]
    const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    await openOrSkip(this, () => promisify(execFile)('openssl', ['req', ...made, ...name]))
    ca = await readFile(certFile)
    azurite = await startAzurite({ tls: { certFile, keyFile } })
  })
  after('stop Azurite', async () => {
    await azurite?.stop()
    await rm(directory, { recursive: true, force: true })
  })
  beforeEach('make a container', async () => {
    const now = Math.floor(Date.now() / 1000)
    const credential = {
      async getToken() {
        return { token: accessToken(now), expiresOnTimestamp: (now + 3000) * 1000 }
      },
    }
    const name = `c${randomUUID()}`
    container = new ContainerClient(`${azurite.url}/${name}`, credential, trusting(ca))
    await container.create()
  })

  it('read that one blob, with HTTPS only, for a week at most', async () => {
    const storage = azureStorage({ client: container })
    await storage.check()
    const bytes = randomBytes(50_000)
    await storage.write('job/Ä 1', bytesOf(bytes))
    const url = await sign(storage, 'job/Ä 1')
    expect(url.searchParams.get('sp')).to.equal('r')
    expect(url.searchParams.get('spr')).to.equal('https')
    expect(url.searchParams.get('skoid')).to.be.a('string')
    const { status, body } = await fetchTrusting(url, ca)
    expect(status).to.equal(200)
    expect(body.equals(bytes)).to.equal(true)
    const expired = await sign(storage, 'job/Ä 1', new Date(Date.now() - 60_000))
    expect((await fetchTrusting(expired, ca)).status).to.equal(403)
    const late = await sign(storage, 'job/Ä 1', new Date(Date.now() + 30 * 24 * HOUR))
    expect(Date.parse(late.searchParams.get('se') ?? '')).to.be.below(Date.now() + 7 * 24 * HOUR)
    expect((await fetchTrusting(late, ca)).status).to.equal(200)
  })

  it('say in the check when nobody is signed in', async () => {
    const { containerName } = container
    const client = new ContainerClient(
      `${azurite.url}/${containerName}`,
      new EnvironmentCredential(),
      trusting(ca),
    )
    const error = await errorOf(azureStorage({ client }).check())
    expect(error).to.have.property('code', 'CredentialUnavailableError')
    expect(error.message).to.include(containerName).and.include('Nobody is signed in')
  })

  it('ask for a key once, and again when there was none', async () => {
    const storage = azureStorage({ client: container, timeout: 1000 })
    const late = azureStorage({ client: container, timeout: 1000 })
    const expires = soon()
    const [url, same] = await Promise.all([1, 2].map(() => sign(storage, 'job/a', expires)))
    expect(same?.href).to.equal(url?.href)
    await azurite.stop()
    expect((await sign(storage, 'job/a', expires)).href).to.equal(url?.href)
    for (let turn = 0; turn < 2; turn += 1) await errorOf(sign(late, 'job/a', expires))
  })
})

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Azurite looks at its claims and not at who signed it. */
function accessToken(now: number): string {
  const claims = {
    aud: 'https://storage.azure.com',
    iss: 'https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/',
    ...{ iat: now - 60, nbf: now - 60, exp: now + 3600 },
    ...{ oid: randomUUID(), tid: 'ab1f708d-50f6-404c-a006-d71b2ac7a606', ver: '1.0' },
  }
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return [part({ alg: 'RS256', typ: 'JWT' }), part(claims), 'signature'].join('.')
}

/** The SDK hands these on to its HTTP client, but does not have them in its types. */
function trusting(ca: Buffer): StoragePipelineOptions {
  return { tlsOptions: { ca } } as StoragePipelineOptions
}

function fetchTrusting(url: URL, ca: Buffer): Promise<{ status: number | undefined; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ca })
    get(url, { agent }, async (response) => {
      resolve({ status: response.statusCode, body: await buffer(response) })
      agent.destroy()
    }).on('error', reject)
  })
}
