import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import { sanitizerFor } from '../search/core.js'
import { hostRequest } from '../search/host-request.js'
import { pageQuery, queryOf } from '../search/host-search.js'
import type { Caller } from '../search/search-adapter.js'
import { readAnswer, type SearchAnswer } from '../search/search-answer.js'
import { untilAborted } from '../until-aborted.js'
import type { ServedType } from './profiles.js'

/** An answer as it came, and how long it took, in ms. */
export interface ProbedAnswer extends SearchAnswer {
  readonly ms: number
  /** The query of the link to the next page. */
  readonly next?: string
}

/** How one search is made. */
export interface ProbeRequest {
  readonly params?: Readonly<Record<string, string>>
  readonly count: number
  readonly next?: string | undefined
}

/** A service asked as an export asks it, but once: nothing that an export would do about the answer is done. */
export interface ServiceProbe {
  /** How many resources are asked for at once. */
  readonly count: number
  /** @throws SearchFailure */
  search(request: ProbeRequest): Promise<ProbedAnswer>
}

/** Why a search has no answer that can be read. Says nothing that the service has put into its error. */
export class SearchFailure extends Error {
  override readonly name = 'SearchFailure'

  constructor(
    readonly reason: 'threw' | 'late' | 'unreadable',
    message: string,
  ) {
    super(message)
  }
}

export interface ProbeOptions {
  /** The FHIR base URL. */
  readonly base: string
  readonly caller: Caller
  readonly count: number
  /** In ms. */
  readonly timeout: number
  /** Aborted when the time for all is over. */
  readonly signal: AbortSignal
  readonly logger: Logger
}

export function serviceProbe(
  { type, version, profile, service }: ServedType,
  { base, caller, count, timeout, signal, logger }: ProbeOptions,
): ServiceProbe {
  const sanitized = (req: ReturnType<typeof hostRequest>) =>
    sanitizerFor(type, version, profile.metadata)(req)
  const call = async (req: ReturnType<typeof hostRequest>): Promise<unknown> =>
    service.search?.(sanitized(req), { req })
  return {
    count,
    async search({ params = {}, count: asked, next }) {
      const names = Object.keys(params).join(', ')
      const req = hostRequest(base, type, pageQuery(new URLSearchParams(params), asked, next), caller)
      const started = performance.now()
      const late = new SearchFailure('late', `gives no answer within ${timeout / 1000} s`)
      let result: unknown
      try {
        result = await untilAborted(() => call(req), { signal, timeout, late: () => late })
      } catch (error) {
        signal.throwIfAborted()
        // What services put into their errors is for the log, as in an export.
        logger.warn('doctor.search-failed', { type, parameters: names, error: describeError(error) })
        throw error === late ? late : new SearchFailure('threw', `throws ${kindOf(error)}`)
      }
      const answer = readAnswer(result)
      if (answer === undefined) {
        throw new SearchFailure('unreadable', 'answers with neither a Bundle nor an array')
      }
      const ms = performance.now() - started
      return { ...answer, ms, ...(answer.nextUrl === undefined ? {} : { next: queryOf(answer.nextUrl) }) }
    },
  }
}

/** The class of an error and its status, as far as they are names and numbers. */
export function kindOf(error: unknown): string {
  const { name, statusCode, status } = (error ?? {}) as Readonly<Record<string, unknown>>
  const kind = typeof name === 'string' && /^\w{1,60}$/.test(name) ? name : 'what is no Error'
  const code = [statusCode, status].find((each) => typeof each === 'number')
  return code === undefined ? kind : `${kind} with status ${code}`
}
