import { randomUUID } from 'node:crypto'
import { abortable } from './abortable.js'
import type { WriteOptions } from './export-storage.js'
import type { GcsBucket, GcsObject } from './gcs-bucket.js'
import { checksumFor } from './gcs-checksum.js'
import { type Chunk, chunksOf } from './gcs-chunks.js'
import { GcsError } from './gcs-error.js'
import { GcsSession } from './gcs-session.js'

/** How long an abort waits for the answer to bytes that make the file complete, in milliseconds. */
const GRACE = 1000
/** Under this name the metadata of an object say which write made it. */
const MARK = 'write'
const UNKNOWN_OUTCOMES = new Set([undefined, 404, 408, 410, 412, 429])

/**
 * Writes one object: a small one in a single request, a larger one by a session, in parts. Until the last request
 * there is no object; of that one, whose outcome a network can hide, the object itself tells by its mark whether it
 * is of this write.
 *
 * @throws GcsError with code `EEXIST` when the name is taken; what the source throws; the reason of the signal
 */
export async function uploadObject(
  bucket: GcsBucket,
  name: string,
  source: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<void> {
  const { signal } = options
  // Ends all that is under way, whatever the reason.
  const ending = new AbortController()
  const onAbort = () => ending.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort)
  try {
    await new Upload(bucket, name, options, ending).send(source)
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

class Upload {
  private readonly mark = randomUUID()
  private readonly checksum

  constructor(
    private readonly bucket: GcsBucket,
    private readonly name: string,
    private readonly options: WriteOptions,
    private readonly ending: AbortController,
  ) {
    this.checksum = checksumFor(bucket.settings.client)
  }

  async send(source: AsyncIterable<Uint8Array>): Promise<void> {
    const { ending, options, bucket, name } = this
    try {
      const chunks = chunksOf(abortable(source, ending.signal), bucket.settings.chunkSize)
      const first = await this.nextOf(chunks)
      if (first.isLast) await this.complete((signal) => this.sendWhole(first, signal))
      else await this.sendParts(first, chunks)
    } catch (error) {
      ending.abort(error)
      options.signal?.throwIfAborted()
      if (!(error instanceof GcsError) || error.statusCode !== 412) throw error
      const message = `There is an object ${bucket.place(name)} already.`
      throw new GcsError(message, { code: 'EEXIST', statusCode: 412 })
    }
  }

  private async sendParts(first: Chunk, chunks: AsyncGenerator<Chunk, void, void>): Promise<void> {
    const { ending, bucket, name } = this
    const session = await GcsSession.begin(bucket, name, this.resource(), ending.signal)
    try {
      let chunk = first
      while (!chunk.isLast) {
        // The source goes on while bytes are sent; when one of the two fails, the other has to end, too.
        const [next] = await Promise.all([this.nextOf(chunks), session.send(chunk, ending.signal)])
        chunk = next
      }
      await this.complete((signal) => session.sendLast(chunk, this.checksum.header(), signal))
    } catch (error) {
      ending.abort(error)
      await session.cancel()
      throw error
    }
  }

  private async nextOf(chunks: AsyncGenerator<Chunk, void, void>): Promise<Chunk> {
    const { value } = await chunks.next()
    // There is always one more until the last one.
    if (value === undefined) throw new Error('a file has no last part')
    for (const piece of value.pieces) this.checksum.update(piece)
    return value
  }

  /** @param attempt the request that makes the object */
  private async complete(attempt: (signal: AbortSignal) => Promise<GcsObject>): Promise<void> {
    const { ending, bucket, name } = this
    const given = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const onEnding = () => {
      timer = setTimeout(() => given.abort(ending.signal.reason), GRACE)
    }
    ending.signal.throwIfAborted()
    ending.signal.addEventListener('abort', onEnding, { once: true })
    try {
      const object = await attempt(given.signal).catch((error) => this.madeAfterAll(error))
      if (this.checksum.differsFrom(object)) {
        await bucket.remove(name, object.generation)
        throw new GcsError(`What arrived for ${bucket.place(name)} is not what was sent.`)
      }
      if (ending.signal.aborted) await bucket.hasty(GRACE, 2).remove(name, object.generation)
      ending.signal.throwIfAborted()
    } finally {
      clearTimeout(timer)
      ending.signal.removeEventListener('abort', onEnding)
    }
  }

  /** The object, if a request that failed has made it all the same. @throws what the request failed with */
  private async madeAfterAll(error: unknown): Promise<GcsObject> {
    const { bucket, name, ending } = this
    const status = error instanceof GcsError ? error.statusCode : undefined
    const isKnown = status !== undefined && status < 500 && !UNKNOWN_OUTCOMES.has(status)
    const hasty = ending.signal.aborted ? GRACE : bucket.settings.timeout
    const object = isKnown
      ? undefined
      : await bucket
          .hasty(hasty, 2)
          .object(name)
          .catch(() => undefined)
    if (object?.metadata?.[MARK] === this.mark) return object
    throw error
  }

  private async sendWhole({ pieces }: Chunk, signal: AbortSignal): Promise<GcsObject> {
    const boundary = `part-${this.mark}`
    const resource = JSON.stringify({ ...this.resource(), ...this.checksum.fields() })
    const { contentType = 'application/octet-stream' } = this.options
    const head = [
      `--${boundary}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${resource}\r\n`,
      `--${boundary}\r\nContent-Type: ${contentType}\r\n\r\n`,
    ]
    const answer = await this.bucket.upload('multipart', this.name, {
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body: [Buffer.from(head.join('')), ...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)],
      signal,
    })
    return JSON.parse(answer.text) as GcsObject
  }

  /** What the object is to be besides its bytes. */
  private resource(): Readonly<Record<string, unknown>> {
    const { contentType = 'application/octet-stream', contentEncoding } = this.options
    const { storageClass } = this.bucket.settings
    return {
      name: this.name,
      contentType,
      ...(contentEncoding !== undefined && { contentEncoding }),
      ...(storageClass !== undefined && { storageClass }),
      metadata: { [MARK]: this.mark },
    }
  }
}
