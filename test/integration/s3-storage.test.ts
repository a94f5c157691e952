import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { expect } from 'chai'
import type { ByteRange, ExportStorage } from '../../plugin/storage/export-storage.js'
import { s3Storage } from '../../plugin/storage/s3.js'
import { digestOf, generatedBytes, MEGABYTE } from '../suites/generated-bytes.js'
import { objectsOf, pendingUploads } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'

async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const content of texts) yield Buffer.from(content)
}

async function* pieces(size: number): AsyncGenerator<Uint8Array> {
  yield* generatedBytes(size)
}

describe('s3Storage', () => {
  const buckets = useVersitygw()
  let options: Awaited<ReturnType<typeof buckets.newBucket>>
  let storage: ExportStorage
  beforeEach(async () => {
    options = await buckets.newBucket()
    storage = s3Storage(options)
  })
  afterEach(() => buckets.removeBucket(options.bucket))
  const objects = () => objectsOf(buckets.client, options.bucket)

  it('puts objects under its prefix, and touches nothing beside it', async () => {
    const inside = s3Storage({ ...options, prefix: 'a/b' })
    for (const key of ['a/b.x', 'a/bc/job/a', 'job/a']) await storage.write(key, source('untouched'))
    await inside.write('job/a', source('x'))
    await inside.check()
    expect(await objects()).to.have.members(['a/b.x', 'a/b/job/a', 'a/bc/job/a', 'job/a'])
    await inside.removeOthers('job', new Set(['job/b']))
    await inside.removeAll('job')
    expect(await objects()).to.have.members(['a/b.x', 'a/bc/job/a', 'job/a'])
  })

  it('takes a URL for the same place, and then the key of the environment', async () => {
    const { accessKeyId, secretAccessKey } = buckets.gateway.credentials
    const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    const before = { ...process.env }
    Object.assign(process.env, environment)
    try {
      const { region, endpoint } = buckets.gateway
      const byUrl = s3Storage(`s3://${options.bucket}/exports?${new URLSearchParams({ region, endpoint })}`)
      await byUrl.check()
      await byUrl.write('a', source('x'))
    } finally {
      for (const name of Object.keys(environment)) delete process.env[name]
      Object.assign(process.env, before)
    }
    expect(await objects()).to.deep.equal(['exports/a'])
    expect(await text(await s3Storage({ ...options, prefix: 'exports' }).read('a'))).to.equal('x')
  })

  it('refuses a key that is too long only because of its prefix', async () => {
    const inside = s3Storage({ ...options, prefix: 'p'.repeat(200) })
    const key = `${'a'.repeat(250)}/`.repeat(4).slice(0, 900)
    await storage.write(key, source('x'))
    expect(await reasonOf(inside.write(key, source('x'))))
      .to.have.property('message')
      .that.matches(/Not a storage/)
  })

  for (const [what, size] of [
    ['a small file', 10],
    ['a file of several parts', 9 * MEGABYTE],
  ] as const) {
    it(`keeps type, coding and attributes of ${what}`, async () => {
      const special = s3Storage({ ...options, storageClass: 'STANDARD_IA', serverSideEncryption: 'AES256' })
      const given = { contentType: 'application/fhir+ndjson', contentEncoding: 'gzip' }
      await special.write('job/a', pieces(size), given)
      const command = new HeadObjectCommand({ Bucket: options.bucket, Key: 'job/a' })
      const found = await buckets.client.send(command)
      expect(found).to.deep.include({
        ContentType: given.contentType,
        ContentEncoding: 'gzip',
        ContentLength: size,
      })
    })
  }

  it('works with a client of the team with its own defaults, and leaves it open', async () => {
    const { bucket, region, endpoint, credentials } = options
    if (!region || !endpoint || !credentials) throw new Error('The server has a place and a key.')
    // By default the SDK sends checksums and wants some.
    const client = new S3Client({ region, endpoint, credentials, forcePathStyle: true })
    const theirs = s3Storage({ bucket, client })
    await theirs.check()
    await theirs.write('job/a', pieces(20 * MEGABYTE))
    await theirs.write('job/b', source('small'))
    expect(await digestOf(await theirs.read('job/a'))).to.equal(await digestOf(generatedBytes(20 * MEGABYTE)))
    expect(await text(await theirs.read('job/b', { start: 1, end: 2 }))).to.equal('ma')
    await theirs.removeAll('job')
    expect(await objectsOf(client, bucket)).to.deep.equal([])
    client.destroy()
  })

  it('has one winner of several that write a key of several parts at the same time', async () => {
    const writes = [1, 2, 3].map((seed) => storage.write('job/a', pieces(9 * MEGABYTE + seed)))
    const outcomes = await Promise.allSettled(writes)
    const winners = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at + 1] : []))
    expect(winners).to.have.length(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).to.have.property('code', 'EEXIST')
    }
    const size = 9 * MEGABYTE + (winners[0] ?? 0)
    expect(await digestOf(await storage.read('job/a'))).to.equal(await digestOf(generatedBytes(size)))
    expect(await pendingUploads(buckets.client, options.bucket)).to.deep.equal([])
  })

  describe('read', () => {
    const ranges: readonly (readonly [string, string, ByteRange, string])[] = [
      ['beyond the end', 'abc', { start: 3 }, ''],
      ['far beyond the end', 'abc', { start: 1000, end: 2000 }, ''],
      ['of an empty file', '', { start: 0 }, ''],
      ['of an empty file, with an end', '', { start: 0, end: 9 }, ''],
      ['that ends beyond the end', 'abc', { start: 1, end: 9 }, 'bc'],
    ]
    for (const [what, content, range, expected] of ranges) {
      it(`gives ${JSON.stringify(expected)} for a range ${what}`, async () => {
        await storage.write('job/a', source(content))
        expect(await text(await storage.read('job/a', range))).to.equal(expected)
      })
    }

    for (const range of [{ start: -1 }, { start: 2, end: 1 }, { start: 0.5 }, { start: Number.NaN }]) {
      it(`refuses the range ${range.start} to ${range.end ?? 'the end'}, as the local disk does`, async () => {
        await storage.write('job/a', source('abc'))
        expect(await reasonOf(storage.read('job/a', range))).to.be.instanceOf(RangeError)
      })
    }

    it('says that there is no file, with or without a range, but not when there is no bucket', async () => {
      for (const range of [undefined, { start: 0 }, { start: 9, end: 10 }]) {
        expect(await reasonOf(storage.read('job/a', range))).to.have.property('code', 'ENOENT')
      }
      const nowhere = s3Storage({ ...options, bucket: 'no-such-bucket' })
      const error = await reasonOf(nowhere.read('job/a'))
      expect(error).to.have.property('name', 'NoSuchBucket')
      expect(error).not.to.have.property('code')
    })
  })

  it('removes thousands of files, and leaves those that are named', async () => {
    const folder = join(buckets.gateway.directory, options.bucket)
    const names = Array.from({ length: 2300 }, (_, at) => `many/${at % 3}/${String(at).padStart(4, '0')}`)
    for (const part of ['many/0', 'many/1', 'many/2', 'many1'])
      await mkdir(join(folder, part), { recursive: true })
    for (const name of [...names, 'many1/a']) await writeFile(join(folder, name), name)
    const kept = ['many/0/0000', 'many/1/1000', 'many/2/2243']
    for (const name of kept) expect(names).to.include(name)
    await storage.removeOthers('many', new Set(kept))
    expect(await objects()).to.deep.equal([...kept, 'many1/a'])
    await storage.removeAll('many')
    expect(await objects()).to.deep.equal(['many1/a'])
  })

  it('says what was asked when the server is gone, with a code that lets it be tried again', async () => {
    const nowhere = s3Storage({ ...options, endpoint: 'http://127.0.0.1:1' })
    const attempts = [
      () => nowhere.write('job/a', source('x')),
      () => nowhere.read('job/a'),
      () => nowhere.removeAll('job'),
      () => nowhere.removeOthers('job', new Set()),
    ]
    for (const attempt of attempts) {
      const error = await reasonOf(attempt())
      expect(error).to.have.property('code', 'ECONNREFUSED')
      expect(error).to.have.property('message').that.includes(`s3://${options.bucket}/job`)
    }
  })
})

/** With what a promise is rejected. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}
