import type { Resource, ResourceType } from '../fhir/resource.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import { PageHistory } from './page-history.js'

/** One of them is enough; more come only from services that do not know `_id`. */
const PAGE_SIZE = 10

/**
 * Looks a resource up through the host's search, so that the caller's rights on it hold. What a service gives
 * besides is passed over.
 */
export async function findResource(
  search: SearchAdapter,
  type: ResourceType,
  id: string,
  signal?: AbortSignal,
): Promise<Resource | undefined> {
  const params = new URLSearchParams({ _id: id })
  const request = { type, params, pageSize: PAGE_SIZE, ...(signal ? { signal } : {}) }
  const history = new PageHistory(type)
  let page = await search.search(request)
  for (;;) {
    history.add(page)
    const found = page.resources.find((resource) => resource.resourceType === type && resource.id === id)
    if (found !== undefined || page.next === undefined) return found
    page = await search.search({ ...request, next: page.next })
  }
}
