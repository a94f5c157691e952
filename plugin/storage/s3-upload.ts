import { randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { abortable } from './abortable.js'
import type { WriteOptions } from './export-storage.js'
import { type Conditions, commit, refuseTaken, WRITE_ID, withGrace } from './s3-commit.js'
import { asked } from './s3-error.js'
import type { S3Place } from './s3-options.js'
import { type Part, partsOf, partsUnderWay } from './s3-parts.js'

// Not `Upload` of @aws-sdk/lib-storage: when that is aborted it rejects while requests go on and without dropping the
// upload; its parts have one size, so that a file of unknown length may turn out too large at its end; and it does not
// stop reading the source when a part fails.

interface Upload {
  readonly place: S3Place
  readonly name: string
  readonly writeId: string
  readonly options: WriteOptions
  /** Ends all of this write, with the first error as its reason. */
  readonly stop: AbortController
}

/**
 * Makes an object of a source: small ones by one request, others in parts, of which a few are sent while the next is
 * filled. Until it resolves, and when it rejects, there is no such object, unless another write made one, which stays.
 *
 * @throws Error with code `EEXIST` when the object is there, what the source throws, the reason of the signal, or an
 *   error of the SDK
 */
export async function upload(
  place: S3Place,
  name: string,
  source: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<void> {
  const { signal } = options
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const work: Upload = { place, name, writeId: randomUUID(), options, stop }
  const parts = partsOf(abortable(source, stop.signal), place.partSize)
  try {
    await sendAll(work, parts)
  } catch (error) {
    // The requests that end because of the first error end with errors too.
    stop.abort(error)
    throw stop.signal.reason
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await parts.return()
  }
}

async function sendAll(work: Upload, parts: AsyncGenerator<Part, void, void>): Promise<void> {
  const { value: first } = await parts.next()
  if (first === undefined) throw new Error('A file has at least one part.')
  if (first.isLast) await put(work, first.bytes)
  else await sendInParts(work, first, parts)
}

async function put(work: Upload, bytes: Uint8Array): Promise<void> {
  const { place, name } = work
  await commit(work, (abortSignal, conditions) => {
    const command = new PutObjectCommand({ ...description(work), ...conditions, Body: bytes })
    return asked(place, 'PutObject', name, place.client.send(command, { abortSignal }))
  })
}

async function sendInParts(
  work: Upload,
  first: Part,
  others: AsyncGenerator<Part, void, void>,
): Promise<void> {
  await refuseTaken(work)
  const uploadId = await begin(work)
  const sent: CompletedPart[] = []
  const underWay = new Set<Promise<void>>()
  const start = (part: Part) => {
    const sending = sendPart(work, uploadId, part)
      .then((completed) => {
        sent.push(completed)
        part.release()
      })
      .finally(() => underWay.delete(sending))
    // The source ends with the reason of `stop`, and so does everything else.
    sending.catch((error: unknown) => work.stop.abort(error))
    underWay.add(sending)
  }
  try {
    start(first)
    for await (const part of others) {
      while (underWay.size >= partsUnderWay(part.bytes.length)) await Promise.race(underWay)
      start(part)
    }
    await Promise.all(underWay)
    sent.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0))
    await commit(work, (abortSignal, conditions) => complete(work, uploadId, sent, abortSignal, conditions))
  } catch (error) {
    work.stop.abort(error)
    // A part that arrives after its upload is dropped would stay, unseen and paid for.
    await Promise.allSettled(underWay)
    await drop(work, uploadId)
    throw error
  }
}

/** Not aborted at once: nobody would know the ID of an upload that has begun, to drop it. */
async function begin(work: Upload): Promise<string> {
  const { place, name, stop } = work
  stop.signal.throwIfAborted()
  // A client that sends checksums with parts has to announce them.
  const hasChecksums = (await place.client.config.requestChecksumCalculation()) === 'WHEN_SUPPORTED'
  const command = new CreateMultipartUploadCommand({
    ...description(work),
    ...(hasChecksums && { ChecksumAlgorithm: 'CRC32' }),
  })
  const { UploadId } = await withGrace(stop.signal, (abortSignal) =>
    asked(place, 'CreateMultipartUpload', name, place.client.send(command, { abortSignal })),
  )
  if (UploadId === undefined) throw new Error(`The server gave no ID for the upload of ${name}.`)
  return UploadId
}

async function sendPart(work: Upload, uploadId: string, { number, bytes }: Part): Promise<CompletedPart> {
  const { place, name, stop } = work
  const command = new UploadPartCommand({
    ...{ Bucket: place.bucket, Key: name, UploadId: uploadId, PartNumber: number },
    Body: bytes,
  })
  const sending = place.client.send(command, { abortSignal: stop.signal })
  const { ETag, ChecksumCRC32 } = await asked(place, `UploadPart ${number}`, name, sending)
  return { PartNumber: number, ETag, ChecksumCRC32 }
}

function complete(
  { place, name }: Upload,
  uploadId: string,
  parts: CompletedPart[],
  abortSignal: AbortSignal,
  conditions: Conditions,
): Promise<unknown> {
  const command = new CompleteMultipartUploadCommand({
    ...{ Bucket: place.bucket, Key: name, UploadId: uploadId, MultipartUpload: { Parts: parts } },
    ...conditions,
  })
  return asked(place, 'CompleteMultipartUpload', name, place.client.send(command, { abortSignal }))
}

/** Drops what was sent. Where the server does not answer, that is left to the next sweep: the write has failed already. */
async function drop({ place, name, stop }: Upload, uploadId: string): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: place.bucket, Key: name, UploadId: uploadId })
  await withGrace(stop.signal, (abortSignal) => place.client.send(command, { abortSignal })).catch(
    () => undefined,
  )
}

function description({ place, name, writeId, options }: Upload) {
  const { contentType, contentEncoding } = options
  return {
    ...{ Bucket: place.bucket, Key: name, Metadata: { [WRITE_ID]: writeId }, ...place.attributes },
    ...(contentType !== undefined && { ContentType: contentType }),
    ...(contentEncoding !== undefined && { ContentEncoding: contentEncoding }),
  }
}
