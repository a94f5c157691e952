import { inspect } from 'node:util'
import { expect } from 'chai'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { type S3StorageOptions, s3Storage } from '../../plugin/storage/s3.js'
import { generatedBytes, MEGABYTE } from '../suites/generated-bytes.js'
import { allow, createUser, OBJECT_RIGHTS, revoke } from '../support/s3-account.js'
import { objectsOf, pendingUploads } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'

const WRONG = { accessKeyId: 'AKIAWRONGWRONG', secretAccessKey: 'secret-that-is-wrong' }

describe('rights in S3', () => {
  const buckets = useVersitygw()
  let user: { readonly accessKeyId: string; readonly secretAccessKey: string }
  let options: S3StorageOptions
  /** With the rights of the user, who has all that are needed unless a test takes some away. */
  let storage: ExportStorage
  let url: (key: string, expires: Date) => Promise<string>
  before(async () => {
    user = await createUser(buckets.gateway)
  })
  beforeEach(async () => {
    options = { ...(await buckets.newBucket()), credentials: user }
    await allow(buckets.client, options.bucket, user.accessKeyId, [{ actions: OBJECT_RIGHTS }])
    storage = s3Storage(options)
    url = (key, expires) => storage.signedUrl?.(key, expires) ?? Promise.reject(new Error('no URL'))
  })
  afterEach(() => buckets.removeBucket(options.bucket))
  const allowOnly = (actions: readonly string[], prefix = '') =>
    allow(buckets.client, options.bucket, user.accessKeyId, [{ actions, prefix }])
  const objects = () => objectsOf(buckets.client, options.bucket)
  const without = (right: string) => OBJECT_RIGHTS.filter((name) => name !== right)

  describe('check', () => {
    it('passes with the rights that are documented, and leaves nothing', async () => {
      await storage.check()
      expect(await objects()).to.deep.equal([])
    })

    const wrongs: readonly (readonly [string, () => Partial<S3StorageOptions>, RegExp])[] = [
      ['no such bucket', () => ({ bucket: 'no-such-bucket' }), /NoSuchBucket.*Create the bucket/],
      ['an unknown key', () => ({ credentials: WRONG }), /InvalidAccessKeyId.*Check the access key/],
      [
        'a wrong secret',
        () => ({ credentials: { ...WRONG, accessKeyId: user.accessKeyId } }),
        /SignatureDoesNotMatch.*Check the access key/,
      ],
      ['another region', () => ({ region: 'eu-central-1' }), /"eu-central-1" is wrong.*Set `region`/],
      [
        'nobody there',
        () => ({ endpoint: 'http://127.0.0.1:1' }),
        /127\.0\.0\.1:1 .*ECONNREFUSED.*Check the endpoint/,
      ],
      [
        'no such host',
        () => ({ endpoint: 'http://nowhere.invalid' }),
        /nowhere\.invalid .*ENOTFOUND.*Check the/,
      ],
      [
        'no credentials',
        () => ({
          credentials: () =>
            Promise.reject(Object.assign(new Error('none found'), { name: 'CredentialsProviderError' })),
        }),
        /none found.*Give credentials/,
      ],
    ]
    for (const [what, change, message] of wrongs) {
      it(`says bucket, endpoint, cause and remedy for ${what}, and no credential`, async () => {
        const changed = { ...options, ...change() }
        const error = await reasonOf(s3Storage(changed).check())
        expect(error).to.be.instanceOf(Error)
        const { message: said } = error as Error
        expect(said).to.match(message)
        expect(said).to.include(`The bucket ${changed.bucket} at ${changed.endpoint ?? ''}`)
        expectNoCredential(error)
      })
    }

    for (const right of ['s3:PutObject', 's3:GetObject', 's3:DeleteObject']) {
      it(`says which rights are needed when ${right} is missing`, async () => {
        await allowOnly(without(right))
        const error = await reasonOf(storage.check())
        expect((error as Error).message)
          .to.match(/AccessDenied/)
          .and.to.include(right)
        expectNoCredential(error)
      })
    }

    it('says so when there are no rights at all', async () => {
      await revoke(buckets.client, options.bucket)
      expect(await reasonOf(storage.check()))
        .to.have.property('message')
        .that.matches(/ListObjects.*AccessDenied.*s3:ListBucket/)
    })
  })

  for (const [what, calls] of Object.entries({
    write: () => storage.write('job/a', bytes(10)),
    read: () => storage.read('job/a'),
    removeAll: () => storage.removeAll('job'),
    removeOthers: () => storage.removeOthers('job', new Set()),
  })) {
    it(`taken away make ${what} reject with what S3 says, and what retries look at`, async () => {
      await storage.write('job/kept', bytes(10))
      await revoke(buckets.client, options.bucket)
      const error = await reasonOf(calls())
      expect(error).to.have.property('name', 'AccessDenied')
      expect(error).to.have.nested.property('$metadata.httpStatusCode', 403)
      expectNoCredential(error)
      expect(await objects()).to.deep.equal(['job/kept'])
    })
  }

  it('taken away in the middle of an upload leave no object, and nothing else once they are back', async () => {
    async function* revoking() {
      yield* generatedBytes(20 * MEGABYTE)
      await revoke(buckets.client, options.bucket)
      yield* generatedBytes(20 * MEGABYTE)
    }
    const error = await reasonOf(storage.write('job/a', revoking()))
    // A server that refuses a part may close the connection while the part is still being sent: its answer is lost then.
    expect(error).to.have.property('name').that.is.oneOf(['AccessDenied', 'TimeoutError'])
    const refused = await reasonOf(storage.write('job/b', bytes(10)))
    expect(refused).to.have.nested.property('$metadata.httpStatusCode', 403)
    expect(await objects()).to.deep.equal([])
    expect(await pendingUploads(buckets.client, options.bucket)).to.deep.equal(['job/a'])
    await allowOnly(OBJECT_RIGHTS)
    await storage.removeOthers('job', new Set())
    expect(await pendingUploads(buckets.client, options.bucket)).to.deep.equal([])
    await storage.write('job/a', bytes(10))
  })

  it('to remove only some files remove those, and name the others', async () => {
    for (const key of ['job/a1', 'job/a2', 'job/b1', 'job/b2']) await storage.write(key, bytes(10))
    await allow(buckets.client, options.bucket, user.accessKeyId, [
      { actions: without('s3:DeleteObject') },
      { actions: ['s3:DeleteObject'], prefix: 'job/a' },
    ])
    const error = await reasonOf(storage.removeAll('job'))
    expect(error)
      .to.have.property('message')
      .that.matches(/job\/b1: AccessDenied.*job\/b2: AccessDenied/)
    expect(await objects()).to.deep.equal(['job/b1', 'job/b2'])
  })

  describe('of a signed URL', () => {
    const inAMinute = () => new Date(Date.now() + 60_000)

    it('give the same bytes and type to whoever has it, also in ranges', async () => {
      const size = 9 * MEGABYTE
      const key = 'job/ä b+c&d%20.ndjson'
      await storage.write(key, bytes(size), { contentType: 'application/fhir+ndjson' })
      const signed = await url(key, inAMinute())
      expect(signed).not.to.include(user.secretAccessKey)
      const whole = await fetch(signed)
      expect(whole.status).to.equal(200)
      expect(whole.headers.get('content-type')).to.equal('application/fhir+ndjson')
      const expected = Buffer.concat([...generatedBytes(size)])
      expect(Buffer.from(await whole.arrayBuffer()).equals(expected)).to.equal(true)
      const part = await fetch(signed, { headers: { Range: 'bytes=1-5' } })
      expect(part.status).to.equal(206)
      expect(Buffer.from(await part.arrayBuffer()).equals(expected.subarray(1, 6))).to.equal(true)
    })

    it('end when it expires', async () => {
      await storage.write('job/a', bytes(10))
      const expires = new Date(Date.now() + 2000)
      const signed = await url('job/a', expires)
      let status = 200
      let isEarly = false
      while (status === 200 && Date.now() < expires.getTime() + 5000) {
        const answer = await fetch(signed)
        await answer.arrayBuffer()
        status = answer.status
        isEarly = Date.now() <= expires.getTime()
      }
      expect(status).to.equal(403)
      expect(isEarly || Date.now() < expires.getTime() + 2000, 'ended in time').to.equal(true)
    })

    it('are for that file only', async () => {
      for (const key of ['job/a', 'job/b']) await storage.write(key, bytes(10))
      const signed = await url('job/a', inAMinute())
      for (const changed of [
        signed.replace('job/a', 'job/b'),
        signed.replace(/X-Amz-Expires=\d+/, 'X-Amz-Expires=9999'),
        signed.replace(/\?.*/, ''),
      ]) {
        const answer = await fetch(changed)
        await answer.arrayBuffer()
        expect(answer.status, changed.slice(0, 60)).to.equal(403)
      }
    })

    const DAY = 24 * 60 * 60 * 1000
    for (const [what, left, message] of [
      ['longer than seven days', 7 * DAY + 5000, /seven days/],
      ['no time at all', 0, /a second/],
      ['a time that is over', -DAY, /a second/],
      ['no time that can be said', Number.NaN, /a second/],
    ] as const) {
      it(`are not given for ${what}`, async () => {
        const error = await reasonOf(url('job/a', new Date(Date.now() + left)))
        expect(error).to.be.instanceOf(RangeError).with.property('message').that.matches(message)
      })
    }

    it('are given for seven days', async () => {
      expect(await url('job/a', new Date(Date.now() + 7 * DAY))).to.match(/X-Amz-Expires=60\d{4}/)
    })
  })

  function expectNoCredential(error: unknown): void {
    const shown = inspect(error, { depth: 20, showHidden: true })
    for (const secret of [WRONG.secretAccessKey, WRONG.accessKeyId, user.secretAccessKey, user.accessKeyId]) {
      expect(shown).not.to.include(secret)
    }
  }
})

async function* bytes(size: number): AsyncGenerator<Uint8Array> {
  yield* generatedBytes(size)
}

/** With what a promise is rejected. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}
