/** The name of a FHIR resource type, such as `Observation`. */
export type ResourceType = string

/** Any resource, as JSON: what the export needs to know of it. */
export interface Resource {
  readonly resourceType: ResourceType
  readonly id?: string
  readonly meta?: { readonly lastUpdated?: unknown; readonly [element: string]: unknown }
  readonly [element: string]: unknown
}

/** Whether a value has the form of a resource. */
export function isResource(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && 'resourceType' in value
    ? typeof value.resourceType === 'string'
    : false
}

/** The logical id rule of R4 (datatypes, `id`). */
export const RESOURCE_ID = /^[A-Za-z0-9\-.]{1,64}$/
