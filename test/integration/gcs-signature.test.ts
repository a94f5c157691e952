import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { expect } from 'chai'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { gcsStorage } from '../../plugin/storage/gcs.js'
import { useFakeGcs } from './gcs-server.js'

const DAY = 24 * 60 * 60 * 1000
const EMAIL = 'exporter@project.iam.gserviceaccount.com'

describe('signed URLs of gcsStorage', () => {
  const gcs = useFakeGcs()
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  let storage: ExportStorage
  let bucket: string
  beforeEach(async () => {
    bucket = await gcs.newBucket()
    const credentials = { client_email: EMAIL, private_key: privateKey }
    storage = gcsStorage({ bucket, prefix: 'a b', apiEndpoint: gcs.url, credentials })
  })
  const sign = async (key: string, expires: Date) => new URL((await storage.signedUrl?.(key, expires)) ?? '')

  for (const key of ['job/Patient-1.ndjson', "ä€日/odd 100%25 & #+=;@!$(),[]{}~^'*.x"]) {
    it(`give ${key} to whoever has them, and have the vendor's V4 signature`, async () => {
      await storage.write(key, source('content'))
      const url = await sign(key, new Date(Date.now() + DAY))
      expect(await (await fetch(url)).text()).to.equal('content')
      expect(url.origin).to.equal(gcs.url)
      expect(decodeURIComponent(url.pathname)).to.equal(`/${bucket}/a b/${key}`)
      expect(Number(url.searchParams.get('X-Goog-Expires'))).to.be.within(DAY / 1000 - 5, DAY / 1000)
      expect(url.searchParams.get('X-Goog-Credential')).to.match(
        /^exporter@[^/]+\/\d{8}\/auto\/storage\/goog4_request$/,
      )
      expect(isSigned(url, 'GET')).to.equal(true)
      expect(isSigned(url, 'PUT'), 'for anything but GET').to.equal(false)
      url.pathname += 'x'
      expect(isSigned(url, 'GET'), 'for another key').to.equal(false)
    })
  }

  it('have nothing of the private key', async () => {
    const url = await sign('job/a', new Date(Date.now() + DAY))
    expect(decodeURIComponent(url.href)).not.to.include(privateKey.slice(30, 60))
  })

  const times: readonly [string, () => Date][] = [
    ['the past', () => new Date(Date.now() - 1000)],
    ['no time at all', () => new Date(Number.NaN)],
    ['more than 7 days', () => new Date(Date.now() + 7 * DAY + 60_000)],
  ]
  for (const [what, expires] of times) {
    it(`are refused for ${what}`, async () => {
      expect(await sign('job/a', expires()).catch((error: unknown) => error)).to.be.instanceOf(RangeError)
    })
  }

  it('last up to 7 days', async () => {
    const url = await sign('job/a', new Date(Date.now() + 7 * DAY - 1))
    expect(Number(url.searchParams.get('X-Goog-Expires'))).to.be.within(7 * 86_400 - 5, 7 * 86_400)
  })

  it('are refused for what is no key', async () => {
    expect(await sign('../x', new Date(Date.now() + DAY)).catch((error: Error) => error.message)).to.include(
      'Not a storage key',
    )
  })

  it('say what is missing when nothing can sign', async () => {
    const other = gcsStorage({ bucket, apiEndpoint: gcs.url, keyFilename: '/no/such/key.json' })
    const error = await other.signedUrl?.('a', new Date(Date.now() + DAY)).catch((reason: unknown) => reason)
    expect(error)
      .to.have.property('message')
      .that.matches(/no signed URL: .*\/no\/such\/key.json.*TokenCreator/)
  })

  /** As Google documents it: https://cloud.google.com/storage/docs/authentication/canonical-requests */
  function isSigned(url: URL, method: string): boolean {
    const given = [...url.searchParams].filter(([name]) => name !== 'X-Goog-Signature')
    const value = (name: string) => url.searchParams.get(name) ?? ''
    const query = given.map(([name, text]) => `${coded(name)}=${coded(text)}`).sort()
    const path = decodeURIComponent(url.pathname).split('/').map(coded).join('/')
    const request = [
      method,
      path,
      query.join('&'),
      `host:${url.hostname}\n`,
      'host',
      'UNSIGNED-PAYLOAD',
    ].join('\n')
    const scope = value('X-Goog-Credential').split('/').slice(1).join('/')
    const digest = createHash('sha256').update(request).digest('hex')
    const text = [value('X-Goog-Algorithm'), value('X-Goog-Date'), scope, digest].join('\n')
    return (
      value('X-Goog-SignedHeaders') === 'host' &&
      verify('sha256', Buffer.from(text), keys.publicKey, Buffer.from(value('X-Goog-Signature'), 'hex'))
    )
  }
})

/** All but unreserved characters, in UTF-8. */
function coded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}
