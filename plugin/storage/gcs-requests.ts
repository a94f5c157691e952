import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { GcsError, mayPass, refusal, unanswered, unidentified } from './gcs-error.js'
import type { GcsSettings } from './gcs-options.js'

export interface GcsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: URL
  /** What the request is about, for messages; the URL of an upload session is a secret. */
  readonly place: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  /** Besides 2xx, the statuses that are no error. */
  readonly accepts?: readonly number[]
  readonly signal?: AbortSignal
}

export interface GcsAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** How often a request is made, with the first time. */
const MOST_TRIES = 5
/** How long the first pause before another try is, in milliseconds; each further one is twice as long. */
const FIRST_PAUSE = 250
const OF_GOOGLE = /(^|\.)googleapis\.com$/

/**
 * Requests to the JSON API with the identity of the SDK, made by Node itself. The SDK's own would not do: its
 * downloads wait for ever when the connection is cut off in the middle, none of its requests has a time-out, an
 * upload that is aborted leaves its session behind, and a retry after a lost answer takes the file for another's.
 *
 * A server that is silent for the time-out of the settings is given up with code `ETIMEDOUT`. What may pass (no
 * answer, 408, 429, 5xx) is tried so often in all, with pauses of about 0.25, 0.5, 1 … seconds.
 */
export class GcsRequests {
  constructor(
    private readonly settings: Pick<GcsSettings, 'client' | 'timeout' | 'agent'>,
    private readonly tries = MOST_TRIES,
  ) {}

  /** The whole answer. @throws GcsError, or the reason of the signal as soon as that is aborted */
  call(request: GcsRequest): Promise<GcsAnswer> {
    return this.repeat(request, async () => {
      const answer = await this.send(request)
      try {
        return { status: answer.statusCode ?? 0, headers: answer.headers, text: await text(answer) }
      } catch (error) {
        request.signal?.throwIfAborted()
        throw unanswered(request.place, error)
      }
    })
  }

  /** The answer as its bytes come; they may stop with an error later. */
  open(request: GcsRequest): Promise<IncomingMessage> {
    return this.repeat(request, () => this.send(request))
  }

  private async repeat<T>({ signal }: GcsRequest, attempt: () => Promise<T>): Promise<T> {
    for (let turn = 1; ; turn += 1) {
      try {
        return await attempt()
      } catch (error) {
        if (turn >= this.tries || !mayPass(error)) throw error
      }
      // Spread, so that many writes that fail together do not come back together.
      const length = FIRST_PAUSE * 2 ** (turn - 1) * (0.75 + Math.random() / 2)
      await pause(length, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
    }
  }

  private async send(request: GcsRequest): Promise<IncomingMessage> {
    const { method, url, headers, body = [], signal, accepts = [], place } = request
    const identity = await this.identityFor(url, signal)
    const length = body.reduce((sum, piece) => sum + piece.length, 0)
    const start = url.protocol === 'http:' ? requestHttp : requestHttps
    const sent = start(url, {
      method,
      headers: {
        ...identity,
        ...headers,
        // What is asked for has to come as it is stored.
        'accept-encoding': 'gzip',
        'user-agent': 'node-fhir-server-bulk-export',
        ...((method === 'POST' || method === 'PUT') && { 'content-length': String(length) }),
      },
      timeout: this.settings.timeout,
      ...(this.settings.agent && { agent: this.settings.agent }),
      ...(signal && { signal }),
    })
    for (const piece of body) sent.write(piece)
    sent.end()
    const answer = await this.answerTo(sent, request)
    const status = answer.statusCode ?? 0
    if ((status >= 200 && status < 300) || accepts.includes(status)) return answer
    const said = await text(answer).catch(() => '')
    throw refusal(place, status, said)
  }

  private answerTo(sent: ClientRequest, { place, signal }: GcsRequest): Promise<IncomingMessage> {
    const { timeout } = this.settings
    return new Promise((resolve, reject) => {
      let answer: IncomingMessage | undefined
      sent.on('timeout', () => {
        // A reader that takes its time is no server that hangs.
        if (answer !== undefined && answer.readableLength > 0) {
          sent.setTimeout(timeout)
          return
        }
        const error = hung(timeout)
        answer?.destroy(error)
        sent.destroy(error)
      })
      sent.once('response', (message) => {
        answer = message
        resolve(message)
      })
      sent.on('error', (error) => reject(signal?.aborted ? signal.reason : unanswered(place, error)))
    })
  }

  /** The headers that say who asks. Getting them may itself need requests, which neither end nor hang here. */
  private async identityFor(url: URL, signal: AbortSignal | undefined): Promise<Record<string, string>> {
    const { client, timeout } = this.settings
    const isTrusted =
      !client.customEndpoint || client.useAuthWithCustomEndpoint || OF_GOOGLE.test(url.hostname)
    if (!isTrusted) return {}
    return await within(client.authClient.getRequestHeaders(url.href), timeout, signal).catch((error) => {
      signal?.throwIfAborted()
      throw error instanceof GcsError ? unanswered('an access token', error) : unidentified(error)
    })
  }
}

/** What a promise gives, if it does so in time. The work itself goes on. */
export async function within<T>(work: Promise<T>, timeout: number, signal?: AbortSignal): Promise<T> {
  const over = new AbortController()
  // It may fail when nobody waits for it any more.
  work.catch(() => undefined)
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(hung(timeout)), timeout)
    over.signal.addEventListener('abort', () => clearTimeout(timer))
    signal?.addEventListener('abort', () => reject(signal.reason), { signal: over.signal })
  })
  try {
    signal?.throwIfAborted()
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}

function hung(timeout: number): GcsError {
  return new GcsError(`no answer for ${timeout / 1000} seconds`, { code: 'ETIMEDOUT' })
}
