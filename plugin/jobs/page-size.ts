import type { Resource, ResourceType } from '../fhir/resource.js'
import type { Page, SearchAdapter, SearchRequest } from '../search/search-adapter.js'

/** So many resources are asked for while nobody knows how large they are. */
const FIRST_COUNT = 10
/** So many resources of a page are weighed. */
const SAMPLE = 16

export interface PageLimits {
  /** How many resources are asked for at once. */
  readonly resources: number
  /** How large a page may be as JSON, by an estimate; a page is in memory as a whole. */
  readonly bytes: number
}

/** How many resources of each type are asked for at once, as far as is known from the pages that have come. */
export class PageSizes {
  readonly #counts = new Map<ResourceType, number>()

  constructor(private readonly limits: PageLimits) {}

  of(type: ResourceType): number {
    return this.#counts.get(type) ?? Math.min(FIRST_COUNT, this.limits.resources)
  }

  /**
   * The first page of a search, which decides over the size of all: their links carry it on. One that is not the last
   * is asked for again when it is too large, or could be larger. A service that gives as many as before is taken as it
   * is.
   *
   * @param atLeast as many as are needed to find a position again
   */
  async first(
    search: SearchAdapter,
    request: Omit<SearchRequest, 'pageSize' | 'next'>,
    atLeast: number,
  ): Promise<Page> {
    const ask = (pageSize: number) => search.search({ ...request, pageSize })
    let asked = Math.max(this.of(request.type), atLeast)
    let page = await ask(asked)
    for (let isGrown = false; page.next !== undefined; ) {
      const { length } = page.resources
      const fitting = Math.max(this.#fitting(page.resources), atLeast)
      const isTooLarge = fitting < Math.min(asked, length)
      if (!isTooLarge && (isGrown || fitting <= asked)) break
      isGrown ||= fitting > asked
      asked = fitting
      page = await ask(asked)
      if (isTooLarge && page.resources.length >= length) break
    }
    if (page.next !== undefined) this.#counts.set(request.type, asked)
    return page
  }

  /** How many resources like these a page may have. */
  #fitting(resources: readonly Resource[]): number {
    const most = this.limits.resources
    const average = averageBytes(resources)
    return average === 0 ? most : Math.min(most, Math.max(1, Math.floor(this.limits.bytes / average)))
  }
}

/** About how many bytes each of some resources takes as JSON. */
function averageBytes(resources: readonly Resource[]): number {
  const step = Math.max(1, Math.floor(resources.length / SAMPLE))
  const sample = resources.filter((_, index) => index % step === 0)
  return sample.reduce((sum, resource) => sum + bytesOf(resource), 0) / Math.max(1, sample.length)
}

/** What cannot be written has no size; it becomes a problem of its own later on. */
function bytesOf(resource: Resource): number {
  try {
    return JSON.stringify(resource)?.length ?? 0
  } catch {
    return 0
  }
}
