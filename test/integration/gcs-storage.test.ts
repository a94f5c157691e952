import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { Storage } from '@google-cloud/storage'
import { expect } from 'chai'
import { triesFor } from '../../plugin/jobs/retry.js'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { GcsError, type GcsStorageOptions, gcsStorage } from '../../plugin/storage/gcs.js'
import { checksumFor } from '../../plugin/storage/gcs-checksum.js'
import { gcsSettings } from '../../plugin/storage/gcs-options.js'
import { rejectionOf } from '../suites/rejection.js'
import { useFakeGcs } from './gcs-server.js'

describe('gcsStorage', () => {
  describe('options', () => {
    const places: readonly [string | URL, string, string][] = [
      ['gs://my-bucket', 'my-bucket', ''],
      ['gs://my-bucket/', 'my-bucket', ''],
      ['gs://my_bucket.example.org/exports', 'my_bucket.example.org', 'exports'],
      ['gs://my-bucket/exports/2026/', 'my-bucket', 'exports/2026'],
      ['gs://my-bucket/a%20b/%C3%A4', 'my-bucket', 'a b/ä'],
      [new URL('gs://my-bucket/exports'), 'my-bucket', 'exports'],
    ]
    for (const [given, bucket, prefix] of places) {
      it(`take ${given}`, () => {
        expect(gcsSettings(given)).to.include({ bucket, prefix, chunkSize: 8 * 1024 * 1024, timeout: 30_000 })
      })
    }

    const client = new Storage()
    const refused: readonly [string, GcsStorageOptions | string, RegExp][] = [
      ['another kind of URL', 's3://my-bucket/x', /gs:\/\/bucket\/prefix/],
      ['no URL', 'my-bucket', /gs:\/\/bucket\/prefix/],
      ['a URL without a bucket', 'gs:///x', /name of a bucket/],
      ['a URL with a password', 'gs://me:secret@my-bucket', /nothing else/],
      ['a URL with a query', 'gs://my-bucket/x?key=secret', /nothing else/],
      ['a prefix that leads out', 'gs://my-bucket/a%2F..%2Fb', /storage key/],
      ['an empty name', { bucket: '' }, /name of a bucket/],
      ['upper case', { bucket: 'My-Bucket' }, /name of a bucket: "My-Bucket"/],
      ['200 characters', { bucket: 'x'.repeat(200) }, /name of a bucket/],
      ['a path', { bucket: '../x' }, /name of a bucket/],
      ['an address', { bucket: '192.168.1.1' }, /name of a bucket/],
      ['a name of Google', { bucket: 'google-x' }, /name of a bucket/],
      ['a prefix with ..', { bucket: 'my-bucket', prefix: '../x' }, /storage key/],
      ['an odd size', { bucket: 'my-bucket', chunkSize: 1_000_000 }, /chunkSize .* 262144/],
      ['no size', { bucket: 'my-bucket', chunkSize: 0 }, /chunkSize/],
      ['no time', { bucket: 'my-bucket', timeout: 0 }, /timeout/],
      ['two clients', { bucket: 'my-bucket', client, projectId: 'p' }, /either client or projectId/],
    ]
    for (const [what, given, message] of refused) {
      it(`refuse ${what}, without showing a secret`, () => {
        expect(() => gcsStorage(given))
          .to.throw(Error, message)
          .that.satisfies((error: Error) => !error.message.includes('secret'))
      })
    }
  })

  describe('checksum', () => {
    const expected: readonly [string, boolean, Record<string, string>, string][] = [
      ['MD5', false, { md5Hash: 'XUFAKrxLKna5cZ2REBfFkg==' }, 'md5=XUFAKrxLKna5cZ2REBfFkg=='],
      ['CRC32C where MD5 is forbidden', true, { crc32c: 'mnG7TA==' }, 'crc32c=mnG7TA=='],
    ]
    for (const [what, isFips, fields, header] of expected) {
      it(`is ${what}`, () => {
        const checksum = checksumFor(new Storage(), isFips)
        checksum.update(new Uint8Array(Buffer.from('xhel')).subarray(1))
        checksum.update(Buffer.from('lo'))
        expect(checksum.fields()).to.deep.equal(fields)
        expect(checksum.header()).to.equal(header)
        expect(checksum.differsFrom({ generation: '1', ...fields })).to.equal(false)
        expect(checksum.differsFrom({ generation: '1', md5Hash: 'x', crc32c: 'x' })).to.equal(true)
      })
    }
  })

  describe('with a server', () => {
    const gcs = useFakeGcs()
    let bucket: string
    let storage: ExportStorage
    const open = (options: Partial<GcsStorageOptions> = {}) =>
      gcsStorage({ bucket, apiEndpoint: gcs.url, ...options })
    beforeEach(async () => {
      bucket = await gcs.newBucket()
      storage = open()
    })

    it('keeps each key as the object of the same name under the prefix', async () => {
      await open({ prefix: 'exports/2026' }).write('job/ä 1', source('a'))
      await storage.write('job/b', source('b'))
      expect(await gcs.files(bucket)).to.deep.equal(['exports/2026/job/ä 1', 'job/b'])
      await open({ prefix: 'exports/2026' }).removeAll('job')
      expect(await gcs.files(bucket)).to.deep.equal(['job/b'])
    })

    it('works with a client that the team made', async () => {
      const client = new Storage({ apiEndpoint: gcs.url, projectId: 'test' })
      const own = gcsStorage({ bucket, client })
      await own.check()
      await own.write('job/a', source('x'))
      const [bytes] = await client.bucket(bucket).file('job/a').download()
      expect(bytes.toString()).to.equal('x')
    })

    for (const [how, size] of [
      ['in one request', 1],
      ['in parts', 300_000],
    ] as const) {
      it(`gives gzip as it is stored, when it was written ${how}`, async () => {
        const plain = Buffer.from(Array.from({ length: size }, (_, index) => (index * 7919) % 256))
        const coded = gzipSync(plain, { level: 0 })
        const options = { contentType: 'application/fhir+ndjson', contentEncoding: 'gzip' }
        await open({ chunkSize: 256 * 1024, storageClass: 'NEARLINE' }).write('job/a', pieces(coded), options)
        expect((await buffer(await storage.read('job/a'))).equals(coded)).to.equal(true)
        const range = await buffer(await storage.read('job/a', { start: 1, end: 3 }))
        expect(range.equals(coded.subarray(1, 4))).to.equal(true)
        const kept = await (await fetch(`${gcs.url}/storage/v1/b/${bucket}/o/job%2Fa`)).json()
        expect(kept).to.include({ ...options, storageClass: 'NEARLINE' })
      })
    }

    it('gives nothing of a range behind the end, as other storages do', async () => {
      await storage.write('job/a', source('abc'))
      expect((await buffer(await storage.read('job/a', { start: 3 }))).length).to.equal(0)
      await storage.write('job/empty', source())
      expect((await buffer(await storage.read('job/empty', { start: 0, end: 5 }))).length).to.equal(0)
    })

    it('tells that there is no key, and that a key is taken', async () => {
      await storage.write('job/a', source('x'))
      const missing = await rejectionOf(storage.read('job/b'))
      expect(missing).to.include({ code: 'ENOENT', statusCode: 404 })
      const taken = await rejectionOf(storage.write('job/a', source('y')))
      expect(taken).to.include({ code: 'EEXIST', statusCode: 412 })
      expect(taken).to.have.property('message').that.includes(`gs://${bucket}/job/a`)
      expect(triesFor(taken)).to.equal(1)
    })

    it('takes no key that is too long with its prefix', async () => {
      const long = open({ prefix: 'x'.repeat(200) })
      const key = Array.from({ length: 6 }, () => 'y'.repeat(150)).join('/')
      const error = await rejectionOf(long.write(key, source('x')))
      expect(error).to.have.property('message').that.includes('Not a storage key')
    })

    it('removes more than fit on a page', async () => {
      const names = Array.from({ length: 1010 }, (_, index) => `many/${index}`)
      const left = names.values()
      const write = async () => {
        for (const name of left) await storage.write(name, source('x'))
      }
      await Promise.all(Array.from({ length: 20 }, write))
      await storage.removeOthers('many', new Set(['many/500', 'many/1009']))
      expect(await gcs.files(bucket)).to.deep.equal(['many/1009', 'many/500'])
      await storage.removeAll('many')
      expect(await gcs.files(bucket)).to.deep.equal([])
    }).timeout(60_000)

    it('fails for good when the bucket is removed in the middle of a write', async () => {
      async function* removing() {
        yield Buffer.alloc(200_000)
        await gcs.server.removeBucket(bucket)
        yield Buffer.alloc(200_000)
      }
      const error = await rejectionOf(open({ chunkSize: 256 * 1024 }).write('job/a', removing()))
      expect(error).to.be.instanceOf(GcsError).that.has.property('statusCode', 404)
      expect(triesFor(error)).to.equal(1)
      expect(await rejectionOf(storage.read('job/a'))).to.have.property('code', 'ENOENT')
    })

    const broken: readonly [string, Partial<GcsStorageOptions>, RegExp][] = [
      [
        'bucket',
        { bucket: 'no-such-bucket', prefix: 'x' },
        /gs:\/\/no-such-bucket\/x: .*404.*Create the bucket/,
      ],
      ['server', { apiEndpoint: 'http://127.0.0.1:9' }, /ECONNREFUSED.*address/],
      [
        'key file',
        { useAuthWithCustomEndpoint: true, keyFilename: '/no/such/key.json' },
        /There are no credentials.*GOOGLE_APPLICATION_CREDENTIALS/,
      ],
      [
        'private key',
        { useAuthWithCustomEndpoint: true, credentials: { client_email: 'a@b.c', private_key: 'secret' } },
        /There are no credentials.*key file/,
      ],
    ]
    for (const [what, options, message] of broken) {
      it(`says in its check that there is no such ${what}, and what to do`, async () => {
        const error = await rejectionOf(open(options).check())
        expect(error).to.be.instanceOf(GcsError)
        expect(error).to.have.property('message').that.matches(message).and.does.not.include('secret')
        expect(JSON.stringify([error, Object.entries(error as object)])).not.to.include('secret')
      })
    }
  })
})

async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* pieces(...given: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* given
}
