import { S3Client } from '@aws-sdk/client-s3'
import { expect } from 'chai'
import { s3Storage } from '../../plugin/storage/s3.js'
import { openPlace, optionsOf, type S3StorageOptions } from '../../plugin/storage/s3-options.js'

const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret-example' }

describe('the options of s3Storage', () => {
  const urls: readonly (readonly [string, S3StorageOptions])[] = [
    ['s3://bucket', { bucket: 'bucket' }],
    ['s3://bucket/', { bucket: 'bucket' }],
    ['s3://my.bucket-1/exports', { bucket: 'my.bucket-1', prefix: 'exports' }],
    ['s3://bucket/a/b%20c/', { bucket: 'bucket', prefix: 'a/b c' }],
    ['s3://bucket/%C3%A4', { bucket: 'bucket', prefix: 'ä' }],
    [
      's3://bucket/a?region=eu-central-1&endpoint=http%3A%2F%2F127.0.0.1%3A7070&forcePathStyle=false',
      {
        ...{ bucket: 'bucket', prefix: 'a', region: 'eu-central-1' },
        ...{ endpoint: 'http://127.0.0.1:7070', forcePathStyle: false },
      },
    ],
    [
      's3://bucket/?serverSideEncryption=aws:kms&kmsKeyId=alias/exports&storageClass=STANDARD_IA',
      {
        ...{ bucket: 'bucket', serverSideEncryption: 'aws:kms' },
        ...{ kmsKeyId: 'alias/exports', storageClass: 'STANDARD_IA' },
      },
    ],
  ]
  for (const [url, options] of urls) {
    it(`are those of ${url}`, () => {
      expect(optionsOf(url)).to.deep.equal(options)
      expect(optionsOf(new URL(url))).to.deep.equal(options)
    })
  }

  const badUrls: readonly (readonly [string, RegExp])[] = [
    ['bucket', /Not a URL of a bucket/],
    ['https://bucket/a', /begins with s3:/],
    ['s3://', /Not the name of a bucket/],
    ['s3:///prefix', /Not the name of a bucket/],
    ['s3://AKIAEXAMPLE:secret-example@bucket/a', /no credentials/],
    ['s3://bucket/a?secretAccessKey=secret-example', /no parameter secretAccessKey/],
    ['s3://bucket/a?forcePathStyle=yes', /true or false/],
    ['s3://bucket/a#b', /no fragment/],
    ['s3://bucket/a//b', /Not a storage key/],
    ['s3://Bucket/a', /Not the name of a bucket/],
    ['s3://bucket?serverSideEncryption=none', /must be one of AES256/],
    ['s3://bucket?endpoint=http://AKIAEXAMPLE:secret-example@127.0.0.1', /endpoint is/],
  ]
  for (const [url, message] of badUrls) {
    it(`refuse ${url.replace('secret-example', '…')}, without telling a secret`, () => {
      expect(() => s3Storage(url))
        .to.throw(message)
        .with.property('message')
        .that.does.not.include('secret-example')
    })
  }

  const badOptions: readonly (readonly [string, S3StorageOptions, RegExp])[] = [
    ['a bucket named ../x', { bucket: '../x' }, /Not the name of a bucket/],
    ['a bucket in upper case', { bucket: 'Bucket' }, /lower case/],
    ['a bucket of 200 characters', { bucket: 'x'.repeat(200) }, /3 to 63/],
    ['a bucket with two dots', { bucket: 'a..b' }, /Not the name of a bucket/],
    ['a prefix that leaves its place', { bucket: 'bucket', prefix: 'a/../b' }, /Not a storage key/],
    ['parts below 5 MiB', { bucket: 'bucket', partSize: 1024 }, /partSize is 1024/],
    ['parts of half a byte', { bucket: 'bucket', partSize: 6_000_000.5 }, /whole number/],
    ['an endpoint without a scheme', { bucket: 'bucket', endpoint: '127.0.0.1:7070' }, /endpoint is/],
    [
      'a key for AES256',
      { bucket: 'bucket', serverSideEncryption: 'AES256', kmsKeyId: 'alias/exports' },
      /takes no kmsKeyId/,
    ],
  ]
  for (const [what, options, message] of badOptions) {
    it(`refuse ${what}`, () => {
      expect(() => s3Storage(options)).to.throw(message)
    })
  }

  it('refuse a client together with what a client is made of', () => {
    const client = new S3Client({ region: 'eu-central-1', credentials })
    for (const option of [
      { region: 'x' },
      { endpoint: 'http://x' },
      { credentials },
      { forcePathStyle: true },
    ]) {
      expect(() => s3Storage({ bucket: 'bucket', client, ...option })).to.throw(/is for the client/)
    }
    client.destroy()
  })

  it('take access points, and a prefix with or without a slash at its end', () => {
    const bucket = 'arn:aws:s3:eu-central-1:123456789012:accesspoint/exports'
    for (const prefix of ['a/b', 'a/b/']) {
      expect(openPlace({ bucket, prefix })).to.deep.include({ bucket, prefix: 'a/b/' })
    }
  })

  const styles: readonly (readonly [Partial<S3StorageOptions>, boolean])[] = [
    [{}, false],
    [{ endpoint: 'http://127.0.0.1:7070' }, true],
    [{ endpoint: 'http://127.0.0.1:7070', forcePathStyle: false }, false],
    [{ forcePathStyle: true }, true],
  ]
  for (const [options, isPathStyle] of styles) {
    it(`with ${JSON.stringify(options)} put the bucket into the ${isPathStyle ? 'path' : 'host name'}`, () => {
      const { client } = openPlace({ bucket: 'bucket', region: 'eu-central-1', credentials, ...options })
      expect(client.config.forcePathStyle).to.equal(isPathStyle)
    })
  }

  it('encrypt by KMS when there is a key, and otherwise as the bucket says', () => {
    expect(openPlace({ bucket: 'bucket', kmsKeyId: 'alias/exports' }).attributes).to.deep.equal({
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'alias/exports',
    })
    expect(openPlace({ bucket: 'bucket' }).attributes).to.deep.equal({})
  })
})
