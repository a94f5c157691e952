import type { StoredResource } from './collection.js'
import { invalid } from './refusal.js'

/** What a search service reads of an Express request; a plain object will do. */
export interface SearchRequest {
  readonly method?: string
  readonly query?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly protocol?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly originalUrl?: string
}

/** Which page of a search is asked for. */
export interface PageRequest {
  /** How many resources at most; 0 asks for their number only. */
  readonly count: number
  /** The id that the page comes after. */
  readonly after?: string
  readonly total: boolean
}

export interface SearchsetBundle {
  readonly resourceType: 'Bundle'
  readonly type: 'searchset'
  readonly total?: number
  readonly link: readonly { readonly relation: 'self' | 'next'; readonly url: string }[]
  readonly entry?: readonly object[]
}

const DEFAULT_COUNT = 50
const LARGEST_COUNT = 5000
/** The parameter that says where a page begins. Its value means nothing to clients. */
const CURSOR = '_cursor'

/** The parameters of a search as they were sent, by GET or by POST to `_search`. */
export function sentParameters({ method, query, body }: SearchRequest): Readonly<Record<string, unknown>> {
  return method === 'POST' ? { ...query, ...(body as object | undefined) } : { ...query }
}

/** @throws 400 for a `_count` or a cursor that is none */
export function pageRequest(parameters: Readonly<Record<string, unknown>>): PageRequest {
  const { _count: count = String(DEFAULT_COUNT), _total: total, [CURSOR]: cursor } = parameters
  if (typeof count !== 'string' || !/^\d{1,9}$/.test(count)) throw invalid('_count is not a whole number.')
  return {
    count: Math.min(Number(count), LARGEST_COUNT),
    total: total === 'accurate' || Number(count) === 0,
    ...(cursor === undefined ? {} : { after: readCursor(cursor) }),
  }
}

/**
 * The FHIR base URL as the client sees it, without a slash at its end: that of the host it sent the request
 * to. `undefined` if the request does not say.
 */
export function baseUrl(
  { protocol = 'http', headers, originalUrl }: SearchRequest,
  version: string,
): string | undefined {
  const host = headers?.['host']
  if (typeof host !== 'string') return undefined
  const before = originalUrl?.split(`/${version}/`, 1)[0] ?? ''
  return `${protocol}://${host}${before}/${version}`
}

/**
 * One page as a Bundle.
 *
 * @param resources those of the page and, if there are more, at least one that comes after them
 * @param base without it, links are relative
 */
export function searchset(
  type: string,
  resources: readonly StoredResource[],
  { count }: PageRequest,
  {
    parameters,
    base,
    total,
  }: { parameters: Readonly<Record<string, unknown>>; base?: string; total?: number },
): SearchsetBundle {
  const url = base === undefined ? type : `${base}/${type}`
  const page = resources.slice(0, count)
  const last = page.at(-1)
  const query = queryOf(parameters)
  const self = query.toString()
  const link: SearchsetBundle['link'][number][] = [
    { relation: 'self', url: self === '' ? url : `${url}?${self}` },
  ]
  if (resources.length > page.length && last !== undefined) {
    query.set(CURSOR, Buffer.from(last.id).toString('base64url'))
    link.push({ relation: 'next', url: `${url}?${query}` })
  }
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(total === undefined ? {} : { total }),
    link,
    // FHIR has no empty lists.
    ...(page.length > 0 && {
      entry: page.map((resource) => ({
        fullUrl: `${url}/${resource.id}`,
        resource,
        search: { mode: 'match' },
      })),
    }),
  }
}

function readCursor(cursor: unknown): string {
  const after = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : ''
  if (after === '' || Buffer.from(after).toString('base64url') !== cursor) {
    throw invalid(`${CURSOR} is not one that this host has given.`)
  }
  return after
}

function queryOf(parameters: Readonly<Record<string, unknown>>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, given] of Object.entries(parameters)) {
    for (const value of Array.isArray(given) ? given : [given]) {
      if (typeof value === 'string') query.append(name, value)
    }
  }
  return query
}
