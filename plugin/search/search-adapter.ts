import type { Resource, ResourceType } from '../fhir/resource.js'

/** On whose behalf a search runs: what the services of the host see of the kick-off request. */
export interface Caller {
  /** `req.user` of the kick-off, as the host's authentication left it there; must survive JSON. */
  readonly user?: unknown
  /** Headers of the kick-off in lower case, without those that carry a credential. */
  readonly headers: Readonly<Record<string, string>>
}

export interface SearchRequest {
  readonly type: ResourceType
  /** FHIR search parameters, such as `subject=Patient/1`. */
  readonly params: URLSearchParams
  /** How many resources to ask for; a service may give more or fewer. */
  readonly pageSize: number
  /** Where to go on: `next` of the page before. */
  readonly next?: string
  readonly signal?: AbortSignal
}

export interface Page {
  readonly resources: readonly Resource[]
  /** Opaque and storable, so that another process can go on; absent on the last page. */
  readonly next?: string
}

/** A search without pages. */
export type StreamRequest = Omit<SearchRequest, 'pageSize' | 'next'>

/**
 * Reading from the host.
 *
 * What comes back is what the service gave: callers check each resource against what they asked for. Throws
 * what the service throws, and `ExportError` when an answer is not one that can be trusted to be complete.
 */
export interface SearchAdapter {
  /** One page. */
  search(request: SearchRequest): Promise<Page>
  /**
   * All matches, one after the other, if the service of the type gives them so; otherwise `undefined`. Begins with the
   * first that is asked for; leaving early closes it. Each resource has the time limit of a search.
   */
  stream?(request: StreamRequest): AsyncIterable<Resource> | undefined
  /**
   * How many values, separated by commas, the service of the type takes for a reference or `_id` to find what any of
   * them finds; absent, or 1: only one. To a service that does not split them, such a list is something else.
   */
  listSize?(type: ResourceType): number
}
