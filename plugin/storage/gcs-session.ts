import type { GcsBucket, GcsObject } from './gcs-bucket.js'
import { type Chunk, piecesFrom } from './gcs-chunks.js'
import { GcsError } from './gcs-error.js'
import type { GcsAnswer } from './gcs-requests.js'

/** The status of an answer to a part that does not end the file. */
const GO_ON = 308
/** How often in a row the server may keep nothing of what it was sent. */
const MOST_STALLS = 5
/** Milliseconds the end of a session may take; nothing depends on it. */
const END_TIMEOUT = 1000

/**
 * A resumable upload. Nothing of it is visible before its last byte; one that is left alone is forgotten by the
 * server after a week.
 *
 * A part whose answer got lost is sent again at the same place: the server ignores what it has already. (To ask it
 * first what it has would be as good, but fake-gcs-server takes that question for the end of the file.)
 */
export class GcsSession {
  private constructor(
    private readonly bucket: GcsBucket,
    private readonly name: string,
    private readonly url: URL,
  ) {}

  /** @param resource what the object is to be besides its bytes */
  static async begin(
    bucket: GcsBucket,
    name: string,
    resource: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<GcsSession> {
    const { headers } = await bucket.upload('resumable', name, {
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: [Buffer.from(JSON.stringify(resource))],
      signal,
    })
    const { location } = headers
    if (typeof location !== 'string' || !URL.canParse(location)) {
      throw new GcsError(`No upload session was given for ${bucket.place(name)}.`)
    }
    return new GcsSession(bucket, name, new URL(location))
  }

  /** Sends a part that others follow. @throws GcsError with status 503 when the session is gone */
  async send(chunk: Chunk, signal: AbortSignal): Promise<void> {
    const object = await this.sendAll(chunk, '*', {}, signal)
    if (object !== undefined) throw this.lost('it ended too early')
  }

  /**
   * Sends the last part.
   * @param checksum of the whole file: the server makes the object only if it has the same
   */
  async sendLast(chunk: Chunk, checksum: string, signal: AbortSignal): Promise<GcsObject> {
    const total = String(chunk.start + chunk.length)
    const object = await this.sendAll(chunk, total, { 'x-goog-hash': checksum }, signal)
    if (object === undefined) throw this.lost('it did not end')
    return object
  }

  /** Ends the session, so that nothing of it can become an object any more. */
  async cancel(): Promise<void> {
    const bucket = this.bucket.hasty(END_TIMEOUT, 1)
    // Whatever the answer: the server forgets the session by itself.
    await bucket.session('DELETE', this.url, this.name, { accepts: [499] }).catch(() => undefined)
  }

  private async sendAll(
    chunk: Chunk,
    total: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<GcsObject | undefined> {
    const { start, length } = chunk
    const end = start + length
    let stalls = 0
    for (let from = start; ; ) {
      const range = from < end ? `${from}-${end - 1}` : '*'
      const answer = await this.put(piecesFrom(chunk, from), {
        signal,
        headers: { ...headers, 'content-range': `bytes ${range}/${total}` },
      })
      if (answer.status !== GO_ON) return JSON.parse(answer.text) as GcsObject
      const kept = keptOf(answer)
      if (kept < start || kept > end) throw this.lost(`it has ${kept} bytes`)
      if (kept === end && total === '*') return undefined
      stalls = kept > from ? 0 : stalls + 1
      if (stalls === MOST_STALLS) throw this.lost(`it stays at ${kept} bytes`)
      from = kept
    }
  }

  private async put(
    body: readonly Uint8Array[],
    call: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
  ): Promise<GcsAnswer> {
    const { bucket, url, name } = this
    const answer = await bucket.session('PUT', url, name, { ...call, body, accepts: [GO_ON, 404, 410] })
    if (answer.status === 404 || answer.status === 410) throw this.lost('it is gone')
    return answer
  }

  /** A new session may get on, and so this passes, but only with the source from its beginning. */
  private lost(reason: string): GcsError {
    const message = `The upload session for ${this.bucket.place(this.name)} cannot go on: ${reason}.`
    return new GcsError(message, { statusCode: 503 })
  }
}

/** How many bytes of the file the server has. */
function keptOf({ headers }: GcsAnswer): number {
  const last = /-(\d+)$/.exec(String(headers['range'] ?? ''))?.[1]
  return last === undefined ? 0 : Number(last) + 1
}
