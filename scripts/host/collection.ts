import type { Collection, Db } from 'mongodb'
import { VERSION } from './core.js'

/** A resource as FHIR JSON. */
export interface StoredResource {
  readonly resourceType: string
  readonly id: string
  readonly [element: string]: unknown
}

/** What is stored: the resource, whose id is also the key. */
export interface ResourceDocument extends StoredResource {
  readonly _id: string
}

/** Such as `Patient_4_0_0`: there is one collection for each type and version. */
export function collectionName(type: string, version: string = VERSION): string {
  return `${type}_${version}`
}

export function collectionOf(db: Db, type: string, version: string = VERSION): Collection<ResourceDocument> {
  return db.collection<ResourceDocument>(collectionName(type, version))
}

/** The document of a resource. */
export function documentOf(resource: StoredResource): ResourceDocument {
  return { ...resource, _id: resource.id }
}
