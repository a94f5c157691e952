import type { TokenSource } from './access-token.js'
import type { Send } from './bulk-client.js'
import { ExportFailure, messageOf } from './failure.js'
import { backOff, pause, retryAfter } from './pause.js'

export interface TransportOptions {
  /** The FHIR base URL: what belongs to it gets the token. */
  readonly base: string
  /** Absent: the server wants no token. */
  readonly token?: TokenSource | undefined
  /** Sent wherever the token is sent, since they may be credentials too. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether token and headers may be sent to other origins than that of `base`. */
  readonly allowOtherOrigin: boolean
  /** How often a request is sent again that was not answered, or with 429, 502, 503 or 504. */
  readonly retries: number
  /** Ends all requests and pauses; its reason is thrown. */
  readonly signal: AbortSignal
  /** Is told what went wrong and when it is tried again. */
  onRetry?(text: string): void
}

/**
 * Requests that are sent again while nobody answers, or with "not now"; never sooner than `Retry-After`. A token that
 * is refused with 401 is renewed once.
 */
export interface Transport {
  /**
   * With the token and the headers.
   *
   * @throws ExportFailure `signIn` without a token, and for another origin when that is not allowed, `unreachable` when nobody has answered
   */
  readonly withToken: Send
  /** Without a token, to any origin; the headers, but for Authorization, to that of `base`. */
  readonly plain: SendAnew
}

/** The same as `Send`, for requests too that must not be the same when they are sent again. */
export type SendAnew = (url: string, init?: RequestInit | MadeAnew) => Promise<Response>
type MadeAnew = () => Promise<RequestInit>

/** What a request to this URL has besides its own headers. */
type AddedHeaders = (url: string) => Readonly<Record<string, string>>

const NOT_NOW = new Set([429, 502, 503, 504])
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MOST_REDIRECTS = 5
/** How long the first bytes of an answer may take, in ms. */
const ANSWER_LIMIT = 120_000

export function createTransport(options: TransportOptions): Transport {
  const { base, token, headers, allowOtherOrigin, retries, signal, onRetry } = options
  const hasSecrets = token !== undefined || Object.keys(headers).length > 0
  const mayHave = (url: string) => allowOtherOrigin || originOf(url) === originOf(base)

  async function withToken(url: string, init: RequestInit = {}): Promise<Response> {
    if (!hasSecrets) return plain(url, init)
    if (!mayHave(url)) {
      throw new ExportFailure(
        'signIn',
        `The server sends its client to ${originOf(url)}, and the token is for ${originOf(base)}. ` +
          'If that is right, say --allow-other-origin.',
      )
    }
    const used = await token?.current(signal)
    const response = await patiently(url, init, withSecrets(used))
    if (response.status !== 401 || token === undefined) return response
    const renewed = await token.renew(used as string, signal)
    if (renewed === used) return response
    await response.arrayBuffer()
    return patiently(url, init, withSecrets(renewed))
  }

  const withSecrets = (bearer: string | undefined) => (url: string) => {
    if (!mayHave(url)) return {}
    return bearer === undefined ? headers : { ...headers, Authorization: `Bearer ${bearer}` }
  }
  const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization')
  const plain: SendAnew = (url, init = {}) =>
    patiently(url, init, (target) => (originOf(target) === originOf(base) ? Object.fromEntries(others) : {}))

  /** Sends it until it is answered with something else than "not now". */
  async function patiently(
    url: string,
    request: RequestInit | MadeAnew,
    added: AddedHeaders,
  ): Promise<Response> {
    for (let failures = 0; ; ) {
      const init = typeof request === 'function' ? await request() : request
      const ended = init.signal ? AbortSignal.any([signal, init.signal]) : signal
      ended.throwIfAborted()
      let wait: number | undefined
      let reason: string
      try {
        const response = await follow(url, { ...init, signal: ended }, added)
        if (!NOT_NOW.has(response.status) || failures >= retries) return response
        wait = retryAfter(response.headers, Date.now())
        reason = `HTTP ${response.status}`
        await response.arrayBuffer()
      } catch (error) {
        ended.throwIfAborted()
        reason = messageOf(error)
        if (failures >= retries) {
          throw new ExportFailure('unreachable', `${shown(url)} cannot be reached: ${reason}.`, {
            cause: error,
          })
        }
      }
      failures++
      const ms = wait ?? backOff(failures)
      onRetry?.(`${reason} from ${originOf(url)}, trying again in ${Math.ceil(ms / 1000)} s`)
      await pause(ms, ended)
    }
  }

  /** Redirects are followed here, so that no other origin gets what is not for it. */
  async function follow(url: string, init: RequestInit, added: AddedHeaders): Promise<Response> {
    let target = url
    for (let redirects = 0; ; redirects++) {
      const own = new Headers(init.headers)
      for (const [name, value] of Object.entries(added(target))) own.set(name, value)
      const response = await answer(target, { ...init, headers: own, redirect: 'manual' })
      const location = response.headers.get('location')
      const method = init.method ?? 'GET'
      const mayFollow = ['GET', 'HEAD'].includes(method) && redirects < MOST_REDIRECTS
      if (!REDIRECTS.has(response.status) || location === null || !mayFollow) return response
      await response.arrayBuffer()
      target = new URL(location, target).href
    }
  }

  /** The time limit is that of the answer's head: a body may take as long as bytes come. */
  async function answer(url: string, init: RequestInit): Promise<Response> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error('no answer within two minutes')), ANSWER_LIMIT)
    const signals = [late.signal, ...(init.signal ? [init.signal] : [])]
    try {
      return await fetch(url, { ...init, signal: AbortSignal.any(signals) })
    } finally {
      clearTimeout(timer)
    }
  }

  return { withToken, plain }
}

/** A URL without its query, which may be a signature. */
export function shown(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

function originOf(url: string): string {
  return new URL(url).origin
}
