import { describeError, ExportError } from '../errors.js'
import { type CollectionQuery, collectionQuery } from '../search/scan-filter.js'
import type { Examination } from './examined-host.js'
import type { Remark } from './finding.js'
import type { ServedType } from './profiles.js'
import { kindOf } from './service-probe.js'

/** A type whose service has `exportQuery`, and how it is asked. */
export interface Questioning extends Pick<Examination, 'host' | 'instructions' | 'queries'> {
  readonly served: ServedType
  /** Aborted when the time for all types is over. */
  readonly signal: AbortSignal
}

/** What `exportQuery` gave is none that an export can use; the remark says nothing that the service put into its error. */
export class QueryFailure extends Error {
  override readonly name = 'QueryFailure'

  constructor(readonly remark: Remark) {
    super(remark.what)
  }
}

/**
 * Which collection has a type, and what of it exports read for the caller; `undefined` when that is not known.
 *
 * @throws QueryFailure when `exportQuery` throws, is late or gives what is no query
 */
export async function knownCollection(questioning: Questioning): Promise<CollectionQuery | undefined> {
  const { served, host } = questioning
  if (served.origin === 'exportQuery') return askQuery(questioning, '')
  const collection = host.options.collections?.(served.type, served.version)
  return collection === undefined ? undefined : { collection, filter: {} }
}

/**
 * Asks the `exportQuery` of a type as an export would.
 *
 * @param query search parameters, as of a `_typeFilter`; empty: none
 * @throws QueryFailure
 */
export async function askQuery(
  { served, host, instructions, queries, signal }: Questioning,
  query: string,
): Promise<CollectionQuery> {
  const { type, version } = served
  const { baseUrl, caller, stepTimeout } = instructions
  const failed = (error: unknown, remark: Remark) => {
    host.logger.warn('doctor.export-query-failed', {
      type,
      parameters: [...new URLSearchParams(query).keys()].join(', '),
      error: describeError(error),
    })
    return new QueryFailure(remark)
  }
  let answer: unknown
  try {
    answer = await queries.ask({ type, base: `${baseUrl}/${version}`, caller, query, signal })
  } catch (error) {
    signal.throwIfAborted()
    const isLate = error instanceof ExportError && error.issues.some(({ code }) => code === 'timeout')
    const what = isLate ? `gives no answer within ${stepTimeout / 1000} s` : `throws ${kindOf(error)}`
    throw failed(error, { ...UNANSWERED, what: `Its exportQuery ${what}.` })
  }
  try {
    return collectionQuery(type, answer)
  } catch (error) {
    throw failed(error, { ...NO_QUERY, detail: describeError(error).split('. ')[0] ?? '' })
  }
}

const UNANSWERED = {
  level: 'error',
  cost: 'Exports of the type fail, and with them those of the whole system.',
  remedy:
    'The log has what the service says (doctor.export-query-failed). It is called as search is: exportQuery(args, { req }), with the user of the caller.',
} as const

const NO_QUERY = {
  level: 'error',
  what: 'Its exportQuery gives no query that can be run.',
  cost: UNANSWERED.cost,
  remedy:
    'Let it return { collection, filter }: the name of the collection, and the query that search builds.',
} as const
