import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { Storage } from '@google-cloud/storage'
import { expect } from 'chai'
import { gcsStorage } from '../../plugin/storage/gcs.js'
import { type GcsProxy, startProxy } from './gcs-proxy.js'
import { useFakeGcs } from './gcs-server.js'

const TOKEN = 'ya29.token-of-the-test'
const PART = 256 * 1024

describe('the identity of gcsStorage', () => {
  const gcs = useFakeGcs()
  let proxy: GcsProxy
  let bucket: string
  beforeEach(async () => {
    bucket = await gcs.newBucket()
    proxy = await startProxy(gcs.url)
  })
  afterEach(() => proxy.close())

  /** A client that has a token already, so that no other server is asked for one. */
  const open = (useAuthWithCustomEndpoint: boolean) => {
    const authClient = new Storage().authClient.fromJSON({
      ...{ type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'refresh' },
    })
    authClient.setCredentials({ access_token: TOKEN, expiry_date: Date.now() + 3_600_000 })
    const client = new Storage({ authClient, apiEndpoint: proxy.url, useAuthWithCustomEndpoint })
    return gcsStorage({ bucket, client, chunkSize: PART })
  }
  const places: readonly [string, boolean, string | undefined][] = [
    ['sent with every request where the team says so', true, `Bearer ${TOKEN}`],
    ['not sent to a server that is not of Google', false, undefined],
  ]
  for (const [what, isSent, identity] of places) {
    it(`is ${what}`, async () => {
      const storage = open(isSent)
      await storage.check()
      await storage.write('job/a', pieces(randomBytes(2.5 * PART)))
      await buffer(await storage.read('job/a'))
      await storage.removeOthers('job', new Set())
      expect(proxy.seen).to.have.length.above(8)
      expect(new Set(proxy.identities)).to.deep.equal(new Set([identity]))
    })
  }

  it('is in no error, nor is the URL of an upload session', async () => {
    const doomed = [/^POST .*multipart/, /^POST .*resumable/, /^PUT /, /^GET .*media/, /^DELETE /]
    for (const what of doomed) {
      proxy.decide = ({ method, url }) => (what.test(`${method} ${url}`) ? 403 : 'pass')
      const storage = open(true)
      const writing = storage.write(`job/${what.source.length}`, pieces(randomBytes(2.5 * PART)))
      const outcomes = await Promise.allSettled([writing, storage.check()])
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(errors, what.source).to.have.length.above(0)
      expect(inspect(errors, { depth: 10, showHidden: true })).not.to.match(/ya29|secret|refresh|upload_id/)
    }
  })
})

async function* pieces(...given: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* given
}
