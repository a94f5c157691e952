import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { expect } from 'chai'
import { triesFor } from '../../plugin/jobs/retry.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { type GcsStorageOptions, gcsStorage } from '../../plugin/storage/gcs.js'
import { rejectionOf } from '../suites/rejection.js'
import { type Fate, type GcsProxy, startProxy } from './gcs-proxy.js'
import { useFakeGcs } from './gcs-server.js'

const PART = 256 * 1024
const SMALL = randomBytes(1000)
const LARGE = randomBytes(2.5 * PART)
const ALWAYS = Number.POSITIVE_INFINITY

describe('gcsStorage when the network fails', () => {
  const gcs = useFakeGcs()
  let bucket: string
  let proxy: GcsProxy
  beforeEach(async () => {
    bucket = await gcs.newBucket()
    proxy = await startProxy(gcs.url)
  })
  afterEach(() => proxy.close())

  const open = (options: Partial<GcsStorageOptions> = {}): ExportStorage =>
    gcsStorage({ bucket, apiEndpoint: proxy.url, chunkSize: PART, timeout: 10_000, ...options })
  /** Requests of a method and kind have a fate, so many of them after the first few. */
  const doom = (fate: Fate, what: RegExp, { after = 0, times = 1 } = {}) => {
    let count = 0
    proxy.decide = ({ method, url }) => {
      if (!what.test(`${method} ${url}`)) return 'pass'
      count += 1
      return count > after && count <= after + times ? fate : 'pass'
    }
  }
  const expectNothing = async () => {
    proxy.decide = () => 'pass'
    expect(await gcs.files(bucket)).to.deep.equal([])
    const error = await rejectionOf(open().read('job/a'))
    expect(error).to.have.property('code', 'ENOENT')
  }

  const survived: readonly [string, Buffer, Parameters<typeof doom>][] = [
    ['a small file is cut off', SMALL, ['cut', /^POST .*multipart/, { times: 2 }]],
    ['the answer for a small file is lost', SMALL, ['lose', /^POST .*multipart/]],
    ['a small file is answered with 503', SMALL, [503, /^POST .*multipart/, { times: 2 }]],
    ['a session is not begun', LARGE, ['cut', /^POST .*resumable/]],
    ['the session that was begun is not told', LARGE, ['lose', /^POST .*resumable/]],
    ['the first part is cut off', LARGE, ['cut', /^PUT /]],
    ['a part is answered with 503', LARGE, [503, /^PUT /, { after: 1 }]],
    ['the last part is cut off', LARGE, ['cut', /^PUT /, { after: 2 }]],
    ['the answer for the last part is lost', LARGE, ['lose', /^PUT /, { after: 2 }]],
  ]
  for (const [what, bytes, fate] of survived) {
    it(`writes although ${what}`, async () => {
      doom(...fate)
      await open().write('job/a', pieces(bytes))
      expect((await buffer(await open().read('job/a'))).equals(bytes)).to.equal(true)
    })
  }

  it('makes nothing when a server has other bytes than were sent', async () => {
    // fake-gcs-server takes a part that comes again for further bytes; Google does not.
    doom('lose', /^PUT /)
    const error = await rejectionOf(open().write('job/a', pieces(LARGE)))
    expect(error).to.have.property('message').that.includes('not what was sent')
    await expectNothing()
  })

  const final: readonly [string, Parameters<typeof doom>, number, number][] = [
    ['403 for a small file', [403, /^POST .*multipart/, { times: ALWAYS }], 1, 1],
    ['400 for a session', [400, /^POST .*resumable/, { times: ALWAYS }], 1, 1],
    ['403 for a part', [403, /^PUT /, { times: ALWAYS }], 1, 1],
    ['503 for all', [503, /^(POST|PUT) /, { times: ALWAYS }], 5, 10],
    ['no answer for all', ['cut', /^(POST|PUT) /, { times: ALWAYS }], 5, 10],
  ]
  for (const [what, fate, sent, tries] of final) {
    it(`fails with ${what}, as a failure that may pass or not, and leaves nothing`, async () => {
      doom(...fate)
      const bytes = fate[1].source.includes('multipart') ? SMALL : LARGE
      const error = await rejectionOf(open().write('job/a', pieces(bytes)))
      expect(triesFor(error), String(error)).to.equal(tries)
      expect(proxy.seen.filter((line) => fate[1].test(`${line}multipart resumable`)).length).to.be.within(
        sent,
        sent + 1,
      )
      await expectNothing()
    })
  }

  it('gives up a server that hangs, and leaves nothing', async () => {
    doom('hang', /^PUT /, { times: ALWAYS })
    const error = await rejectionOf(open({ timeout: 200 }).write('job/a', pieces(LARGE)))
    expect(error).to.have.property('code', 'ETIMEDOUT')
    expect(triesFor(error)).to.equal(10)
    await expectNothing()
  })

  it('fails when the server has forgotten the session, so that it passes', async () => {
    async function* interrupted() {
      yield LARGE
      await gcs.server.kill()
      await gcs.server.restart()
      yield LARGE
    }
    const error = await rejectionOf(open().write('job/a', interrupted()))
    expect(error).to.have.property('statusCode', 503)
    expect(triesFor(error)).to.equal(10)
    await expectNothing()
    await open().write('job/a', pieces(LARGE))
    expect((await buffer(await open().read('job/a'))).equals(LARGE)).to.equal(true)
  })

  const aborted: readonly [string, Buffer, Parameters<typeof doom>][] = [
    ['the server hangs with a small file', SMALL, ['hang', /^POST /, { times: ALWAYS }]],
    ['the server made a small file without saying so', SMALL, ['swallow', /^POST /]],
    ['the server hangs with a part', LARGE, ['hang', /^PUT /, { times: ALWAYS }]],
    ['the server hangs with the last part', LARGE, ['hang', /^PUT /, { after: 2, times: ALWAYS }]],
    ['the server made a large file without saying so', LARGE, ['swallow', /^PUT /, { after: 2 }]],
  ]
  for (const [what, bytes, fate] of aborted) {
    it(`ends soon and leaves nothing when it is aborted while ${what}`, async () => {
      const controller = new AbortController()
      doom(...fate)
      const { decide } = proxy
      const reached = new Promise<void>((resolve) => {
        proxy.decide = (request) => {
          const given = decide(request)
          if (given !== 'pass') resolve()
          return given
        }
      })
      const writing = rejectionOf(open().write('job/a', pieces(bytes), { signal: controller.signal }))
      await reached
      const before = performance.now()
      controller.abort(new Error('stop'))
      expect(await writing).to.have.property('message', 'stop')
      expect(performance.now() - before, 'milliseconds').to.be.below(4000)
      if (bytes === LARGE) expect(proxy.seen.some((line) => line.startsWith('DELETE /upload'))).to.equal(true)
      await expectNothing()
    })
  }

  for (const fate of ['halve', 'stall'] as const) {
    it(`tells a reader when its bytes ${fate === 'halve' ? 'are cut off' : 'stop coming'}`, async () => {
      await open().write('job/a', pieces(LARGE))
      doom(fate, /^GET /)
      const stream = await open({ timeout: 300 }).read('job/a')
      const error = await rejectionOf(buffer(stream))
      expect(triesFor(error), String(error)).to.equal(10)
    })
  }

  it('reads although the server answers with 503 at first', async () => {
    await open().write('job/a', pieces(SMALL))
    doom(503, /^GET /, { times: 2 })
    expect((await buffer(await open().read('job/a'))).equals(SMALL)).to.equal(true)
  })

  it('does not take a reader that takes its time for a server that hangs', async () => {
    await open().write('job/a', pieces(Buffer.alloc(40 * PART, 'x')))
    const stream = await open({ timeout: 100 }).read('job/a')
    // Time itself is what is tried here.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await buffer(stream)).length).to.equal(40 * PART)
  })

  const checks: readonly [string, Parameters<typeof doom>, RegExp][] = [
    ['may not write', [403, /^POST /], /written in gs:\/\/bucket-\d+\/: .*403.*a message.*objectUser/],
    ['may not read', [403, /^GET .*media/], /read in .*403.*objectUser/],
    ['may not list', [403, /^GET .*maxResults/], /removed in .*403.*objectUser/],
    ['may not remove', [403, /^DELETE /], /removed in .*403.*objectUser.*retention/],
    ['is not known', [401, /^POST /], /401.*GOOGLE_APPLICATION_CREDENTIALS/],
    ['cannot reach it', ['cut', /^POST /], /did not answer.*address/],
    ['waits for ever', ['hang', /^POST /], /no answer for 0.3 seconds.*address/],
  ]
  for (const [what, [fate, request], message] of checks) {
    it(`says in its check when it ${what}`, async () => {
      doom(fate, request, { times: ALWAYS })
      const error = await rejectionOf(open({ timeout: 300 }).check())
      expect(error).to.have.property('message').that.matches(message)
    })
  }
})

async function* pieces(...given: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* given
}
