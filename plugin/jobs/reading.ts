import type { Resource, ResourceType } from '../fhir/resource.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import type { Position } from './model.js'
import type { PageSizes } from './page-size.js'

export interface ReadOptions {
  readonly search: SearchAdapter
  readonly pages: PageSizes
  readonly signal: AbortSignal
  /** Go on after this position instead of beginning. */
  readonly from?: Position
}

export interface ReadResource {
  readonly resource: Resource
  /** Where to go on after this resource. */
  readonly position: Position
}

/** Thrown when the data under a stored position is no longer the same, so that reading must begin anew. */
export class LostPosition extends Error {}

/** A search as it is sent, with what is to be handed on of what comes. */
export interface OneSearch {
  readonly type: ResourceType
  readonly params: URLSearchParams
  readonly start: Position
  isWanted(resource: Resource): boolean | Promise<boolean>
}
