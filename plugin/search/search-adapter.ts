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

/**
 * Reading from the host, one page at a time.
 *
 * What comes back is what the service gave: callers check each resource against what they asked for. Throws
 * what the service throws, and `ExportError` when an answer is not one that can be trusted to be complete.
 */
export interface SearchAdapter {
  search(request: SearchRequest): Promise<Page>
}
