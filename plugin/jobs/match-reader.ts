import type { Resource, ResourceType } from '../fhir/resource.js'
import { isWithinWindow, type Window } from '../fhir/window.js'
import { IdSet } from './id-set.js'
import type { Position } from './model.js'
import { readPages } from './page-reader.js'
import { LostPosition, type OneSearch, type ReadOptions, type ReadResource } from './reading.js'
import { readStream } from './stream-reader.js'

/** What one search is to find. */
export interface Matching {
  readonly type: ResourceType
  readonly window: Window
  /** Searches of which a resource must match at least one, as query strings; absent: no filter. */
  readonly queries?: readonly string[]
  /** Makes the search narrower; what the service made of it `isSelected` has to check. */
  readonly params: Readonly<Record<string, string>>
  /** What positions within this search begin with. */
  readonly start?: Position
  isSelected(resource: Resource): boolean | Promise<boolean>
}

/**
 * Reads what matches, with the same care as `readResources`: a search for each filter query; a resource that
 * matches several comes once. What has come is known only while this runs, so resuming goes through everything
 * before the position again, without handing it out.
 *
 * @throws LostPosition when `from` does not fit the data any more
 * @throws ExportError when a service hands out the same page again and again
 */
export function readMatches(
  matching: Matching,
  { from, ...options }: ReadOptions,
): AsyncGenerator<ReadResource> {
  const { queries = [''] } = matching
  const start = matching.start ?? { path: 0, finished: 0 }
  return queries.length === 1
    ? readSearch(searchFor(matching, queries[0] as string, start), options, from)
    : readSeveral(matching, queries, start, options, from)
}

async function* readSeveral(
  matching: Matching,
  queries: readonly string[],
  first: Position,
  options: ReadOptions,
  from: Position | undefined,
): AsyncGenerator<ReadResource> {
  const met = new IdSet()
  let isPast = from === undefined
  for (const [index, query] of queries.entries()) {
    const start = index === 0 ? first : { ...first, query: index }
    for await (const found of readSearch(searchFor(matching, query, start), options, undefined)) {
      if (found.resource.id !== undefined && !met.add(found.resource.id)) continue
      if (isPast) yield found
      else isPast = isSame(found.position, from)
    }
  }
  if (!isPast) throw new LostPosition()
}

function isSame(a: Position, b: Position | undefined): boolean {
  const parts = ({ query = 0, page, finished, lastId, streamed }: Position) =>
    [query, page, finished, lastId, streamed].join()
  return b !== undefined && parts(a) === parts(b)
}

function searchFor(
  { type, window, params, isSelected }: Matching,
  query: string,
  start: Position,
): OneSearch {
  return {
    ...{ type, start, params: searchParams(query, params, window) },
    isWanted: (resource) =>
      resource.resourceType === type && isWithinWindow(resource, window) && isSelected(resource),
  }
}

/** As a stream where there is one; a position is gone on from in the way in which it came about. */
function readSearch(
  search: OneSearch,
  options: ReadOptions,
  from: Position | undefined,
): AsyncGenerator<ReadResource> {
  const isPaged = from !== undefined && from.streamed === undefined
  const { type, params } = search
  const { signal } = options
  const stream = isPaged ? undefined : options.search.stream?.({ type, params, signal })
  if (stream !== undefined) return readStream(stream, search, options, from)
  if (from?.streamed !== undefined) throw new LostPosition()
  return readPages(search, options, from)
}

/**
 * The filter's own parameters and, as far as it does not use the same ones, those that make the search narrower:
 * the core refuses a parameter that is given twice. What is not searched for is checked anyway.
 */
function searchParams(query: string, params: Matching['params'], { since, before }: Window): URLSearchParams {
  const searched = new URLSearchParams(query)
  const used = new Set([...searched.keys()].map((name) => name.split(':')[0]))
  for (const [name, value] of Object.entries(params)) if (!used.has(name)) searched.set(name, value)
  if (used.has('_lastUpdated')) return searched
  // Milliseconds always: by the rules of FHIR search, "gt" a full second leaves out all of that second.
  if (since !== undefined) searched.set('_lastUpdated', `gt${since.toISOString()}`)
  else if (before !== undefined) searched.set('_lastUpdated', `lt${before.toISOString()}`)
  return searched
}
