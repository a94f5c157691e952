import { expect } from 'chai'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { s3Storage } from '../../plugin/storage/s3.js'
import { digestOf, generatedBytes, MEGABYTE } from '../suites/generated-bytes.js'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js'
import { objectsOf, pendingUploads } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'

const PART = 5 * MEGABYTE
/** The requests that make an object visible. */
const PUT = /^PUT \S*\?x-id=PutObject/
const COMPLETE = /^POST \S*uploadId=/

const files: readonly (readonly [string, number, RegExp])[] = [
  ['a small file', 1000, PUT],
  ['a file of several parts', 2.5 * PART, COMPLETE],
]

async function* pieces(size: number): AsyncGenerator<Uint8Array> {
  yield* generatedBytes(size)
}

describe('S3 behind a faulty network', () => {
  const buckets = useVersitygw()
  let proxy: FaultProxy
  let bucket: string
  /** Reaches the server past the faults. */
  let direct: ExportStorage
  let storage: ExportStorage
  beforeEach(async () => {
    const options = await buckets.newBucket()
    bucket = options.bucket
    proxy = await startFaultProxy(buckets.gateway.endpoint)
    direct = s3Storage(options)
    storage = s3Storage({ ...options, endpoint: proxy.endpoint, partSize: PART })
  })
  afterEach(async () => {
    await proxy.close()
    await buckets.removeBucket(bucket)
  })
  const expectContent = async (objects: readonly string[], pending: readonly string[] = []) => {
    expect(await objectsOf(buckets.client, bucket)).to.deep.equal(objects)
    expect(await pendingUploads(buckets.client, bucket)).to.deep.equal(pending)
  }

  for (const [what, size, request] of files) {
    it(`knows its own object when the answer to ${what} is lost, and the request is repeated`, async () => {
      proxy.loseAnswer(request)
      await storage.write('job/a', pieces(size))
      expect(await digestOf(await direct.read('job/a'))).to.equal(await digestOf(generatedBytes(size)))
      await expectContent(['job/a'])
    })

    it(`takes the object away when ${what} is aborted while the answer is on its way`, async () => {
      const stop = new AbortController()
      const held = proxy.holdAnswer(request)
      const writing = storage.write('job/a', pieces(size), { signal: stop.signal })
      writing.catch(() => undefined)
      await held
      await expectContent(['job/a'])
      stop.abort(new Error('stop'))
      expect(await reasonOf(writing)).to.have.property('message', 'stop')
      await expectContent([])
    })

    it(`refuses ${what} where another write was first, also when the answer to its first look is lost`, async () => {
      const other = 'of another write'
      async function* late() {
        yield* generatedBytes(size)
        await direct.write('job/a', source(other))
        proxy.loseAnswer(/^HEAD /)
      }
      expect(await reasonOf(storage.write('job/a', late()))).to.have.property('code', 'EEXIST')
      expect(await digestOf(await direct.read('job/a'))).to.equal(await digestOf([Buffer.from(other)]))
      await expectContent(['job/a'])
    })
  }

  it('does not begin the upload of a key that is taken', async () => {
    await direct.write('job/a', source('first'))
    let taken = 0
    async function* counted() {
      for (const piece of generatedBytes(20 * PART)) {
        taken += piece.length
        yield piece
      }
    }
    expect(await reasonOf(storage.write('job/a', counted()))).to.have.property('code', 'EEXIST')
    expect(taken).to.be.at.most(PART + 64 * 1024)
  })

  it('ends an aborted write although the server does not answer, and a sweep removes what is left', async () => {
    const stop = new AbortController()
    async function* stalling() {
      yield* generatedBytes(2.5 * PART)
      proxy.stall()
      // Not more than may be under way.
      yield* generatedBytes(PART)
      stop.abort(new Error('stop'))
      yield* generatedBytes(PART)
    }
    const error = await reasonOf(storage.write('job/a', stalling(), { signal: stop.signal }))
    expect(error).to.have.property('message', 'stop')
    await expectContent([], ['job/a'])
    await direct.write('job/b', source('x'))
    await direct.removeOthers('job', new Set(['job/b']))
    await expectContent(['job/b'])
  })

  it('leaves an upload to the sweep of which it never got the ID', async () => {
    const stop = new AbortController()
    const held = proxy.holdAnswer(/^POST \S*\?uploads/)
    const writing = storage.write('job/a', pieces(3 * PART), { signal: stop.signal })
    writing.catch(() => undefined)
    await held
    stop.abort(new Error('stop'))
    expect(await reasonOf(writing)).to.have.property('message', 'stop')
    await direct.removeAll('job')
    await expectContent([])
  })

  it('repeats a part whose answer is lost', async () => {
    proxy.loseAnswer(/^PUT \S*partNumber=2/)
    await storage.write('job/a', pieces(3 * PART + 1))
    expect(await digestOf(await direct.read('job/a'))).to.equal(await digestOf(generatedBytes(3 * PART + 1)))
    await expectContent(['job/a'])
  })

  it('ends a stream with an error when the connection is cut in the middle', async () => {
    await direct.write('job/a', pieces(20 * MEGABYTE))
    const stream = await storage.read('job/a')
    await proxy.close()
    expect(await reasonOf(digestOf(stream))).to.be.instanceOf(Error)
    proxy = await startFaultProxy(buckets.gateway.endpoint)
  })
})

async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

/** With what a promise is rejected. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}
