import { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { ByteRange, ExportStorage } from './export-storage.js'
import { checkedPrefix } from './key.js'
import { checkPlace } from './s3-check.js'
import { asked, missing, nameOfError, statusOf } from './s3-error.js'
import { nameOf, openPlace, optionsOf, type S3Place, type S3StorageOptions } from './s3-options.js'
import { removeOthers, removeTree } from './s3-removal.js'
import { upload } from './s3-upload.js'

export type { S3StorageOptions } from './s3-options.js'

/** What the signatures of S3 allow, in ms. */
const LONGEST_SIGNATURE = 7 * 24 * 60 * 60 * 1000

/**
 * Keeps output files as objects of an S3 bucket, Amazon's or that of a compatible server. The bucket has to exist, and
 * the keys to allow `s3:ListBucket`, `s3:ListBucketMultipartUploads`, `s3:GetObject`, `s3:PutObject`,
 * `s3:DeleteObject` and `s3:AbortMultipartUpload` there. Nothing is asked of it before the first call.
 *
 * A server that is silent for 60 seconds, or takes no connection within 10, counts as one that failed. A write takes
 * less than 100 MB of memory. An object is never replaced, by way of `If-None-Match`; on a server that passes over
 * that, of two writers at the same moment one may replace the other's.
 *
 * Signed URLs are valid for seven days at most, and no longer than temporary credentials that signed them.
 *
 * @param options an object, or a URL: `s3://bucket/prefix`, with `region`, `endpoint`, `forcePathStyle`,
 *   `serverSideEncryption`, `kmsKeyId` and `storageClass` as its query parameters if need be
 * @throws Error that says which option is wrong
 */
export function s3Storage(options: S3StorageOptions | string | URL): ExportStorage {
  const isUrl = typeof options === 'string' || options instanceof URL
  const place = openPlace(isUrl ? optionsOf(options) : options)
  return {
    async write(key, source, given = {}) {
      await upload(place, nameOf(place, key), source, given)
    },
    async read(key, range) {
      return readObject(place, nameOf(place, key), range)
    },
    async removeAll(prefix) {
      await removeTree(place, nameOf(place, checkedPrefix(prefix)))
    },
    async removeOthers(prefix, keys) {
      const kept = new Set([...keys].map((key) => nameOf(place, key)))
      await removeOthers(place, nameOf(place, checkedPrefix(prefix)), kept)
    },
    async check() {
      await checkPlace(place)
    },
    async signedUrl(key, expires) {
      return signUrl(place, nameOf(place, key), expires)
    },
  }
}

async function readObject(place: S3Place, name: string, range: ByteRange | undefined): Promise<Readable> {
  const { client, bucket } = place
  const command = new GetObjectCommand({
    ...{ Bucket: bucket, Key: name },
    ...(range !== undefined && { Range: headerOf(range) }),
  })
  try {
    const found = await asked(place, 'GetObject', name, client.send(command))
    const body = streamOf(found)
    if (range === undefined || isOf(range, found)) return body
    body.destroy()
  } catch (error) {
    const status = statusOf(error)
    // There is an object, but nothing of it in this range; a file on a disk then gives no bytes.
    if (status === 416) return Readable.from([])
    if (status === 404 && nameOfError(error) !== 'NoSuchBucket') throw missing(name)
    throw error
  }
  throw new Error(`The server gives no ranges of files, as for ${name}.`)
}

/** @throws RangeError for one that S3 would pass over, to give all bytes instead */
function headerOf({ start, end }: ByteRange): string {
  const isRange =
    Number.isSafeInteger(start) &&
    start >= 0 &&
    (end === undefined || (Number.isSafeInteger(end) && end >= start))
  if (!isRange) throw new RangeError(`Not a range of bytes: ${start} to ${end ?? 'the end'}`)
  return `bytes=${start}-${end ?? ''}`
}

function isOf({ start }: ByteRange, { ContentRange, ContentLength }: GetObjectCommandOutput): boolean {
  return ContentRange === undefined ? ContentLength === 0 : ContentRange.startsWith(`bytes ${start}-`)
}

function streamOf({ Body }: GetObjectCommandOutput): Readable {
  if (Body instanceof Readable) return Body
  throw new Error('The S3 client gives no Node streams: it needs the request handler for Node.')
}

async function signUrl(place: S3Place, name: string, expires: Date): Promise<string> {
  const now = Date.now()
  const left = expires.getTime() - now
  if (!(left >= 1000)) throw new RangeError('A signed URL has to be valid for a second at least.')
  if (left > LONGEST_SIGNATURE)
    throw new RangeError('S3 signs no URL that is valid for more than seven days.')
  const command = new GetObjectCommand({ Bucket: place.bucket, Key: name })
  const signing = getSignedUrl(place.client, command, {
    expiresIn: Math.floor(left / 1000),
    signingDate: new Date(now),
  })
  return asked(place, 'signing', name, signing)
}
