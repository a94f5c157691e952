import type { Page, SearchAdapter, SearchRequest } from '../search/search-adapter.js'
import { AbortScope } from './abort-scope.js'
import type { Position } from './model.js'
import { PageHistory } from './page-history.js'
import { LostPosition, type OneSearch, type ReadOptions, type ReadResource } from './reading.js'

/**
 * Reads a search page by page. While the resources of a page are taken, the next one is already asked for, from the second
 * resource on: whoever only looks at the first needs no more.
 *
 * @throws LostPosition when `from` does not fit the data any more
 * @throws ExportError when the service gives the same page again and again
 */
export async function* readPages(
  { type, params, start, isWanted }: OneSearch,
  { search, pages, signal }: ReadOptions,
  from: Position | undefined,
): AsyncGenerator<ReadResource> {
  const history = new PageHistory(type)
  let next = from?.page
  let finished = from?.finished ?? 0
  let ahead: PageAhead | undefined
  try {
    do {
      signal.throwIfAborted()
      const request = { type, params, signal }
      let page: Page
      if (ahead !== undefined) page = await ahead.page
      else if (next === undefined) page = await pages.first(search, request, finished)
      else page = await search.search({ ...request, pageSize: pages.of(type), next })
      ahead?.scope.leave()
      ahead = undefined
      if (finished > 0 && page.resources[finished - 1]?.id !== from?.lastId) throw new LostPosition()
      history.add(page)
      for (const [index, resource] of page.resources.entries()) {
        if (index < finished) continue
        const wanted = isWanted(resource)
        if (!(typeof wanted === 'boolean' ? wanted : await wanted)) continue
        const position = {
          ...start,
          ...(next === undefined ? {} : { page: next }),
          finished: index + 1,
          ...(resource.id === undefined ? {} : { lastId: resource.id }),
        }
        yield { resource, position }
        if (ahead !== undefined || page.next === undefined || signal.aborted) continue
        ahead = askAhead(search, { type, params, pageSize: pages.of(type), next: page.next }, signal)
      }
      finished = 0
      next = page.next
    } while (next !== undefined)
  } finally {
    ahead?.scope.leave()
  }
}

interface PageAhead {
  readonly page: Promise<Page>
  readonly scope: AbortScope
}

function askAhead(search: SearchAdapter, request: SearchRequest, signal: AbortSignal): PageAhead {
  const scope = new AbortScope(signal)
  const page = search.search({ ...request, signal: scope.signal })
  // Its error is for whoever comes to need the page, if somebody does.
  page.catch(() => undefined)
  return { page, scope }
}
