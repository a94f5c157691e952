import { createRequire } from 'node:module'
import type { Db } from 'mongodb'
import { hostTypes, VERSION } from './core.js'
import { searchQuery } from './export-query.js'
import { createService } from './service.js'
import { type ExportedService, serviceByVersion } from './service-by-version.js'

export { collectionName, type ResourceDocument, type StoredResource } from './collection.js'
export { hostTypes, VERSION } from './core.js'
export { ensureIndexes } from './indexes.js'
export { type LoadProgress, type LoadResult, loadFolder } from './load.js'
export { type SearchFilterOptions, searchFilter } from './search-filter.js'
export type { SearchRequest, SearchsetBundle } from './search-page.js'
export type { HostService, ServiceContext } from './service.js'
export { deletedSince } from './tombstone.js'

/** One resource type in the configuration of the core. */
export interface HostProfile {
  readonly service: ExportedService
  readonly versions: readonly string[]
  /** Path of the module that tells the core the search parameters. */
  readonly metadata: string
  readonly [setting: string]: unknown
}

/** What `initialize(config, app)` of the core takes. The core adds to it, so give it to one server only. */
export interface HostConfig {
  readonly profiles: Readonly<Record<string, HostProfile>>
  readonly server: Readonly<Record<string, unknown>>
  readonly logging: { readonly level: string }
  readonly [setting: string]: unknown
}

const require = createRequire(import.meta.url)

/**
 * The configuration of a FHIR server that serves every type of the core from MongoDB, one collection each.
 *
 * @param options.profiles settings by type that are added to the profile, or take the place of its own
 * @param options.baseUrl public root URL of the server, without the FHIR version; default: that of each request
 * @param options.streams whether the services offer `searchStream`; default: they do not
 * @param options.queries whether the services offer `exportQuery`; default: they do not
 * @param options.versions the FHIR versions, as the core writes them; default: `VERSION` alone
 */
export function createHostConfig(options: {
  readonly db: Db
  readonly profiles?: Readonly<Record<string, object>>
  readonly baseUrl?: string
  readonly streams?: boolean
  readonly queries?: boolean
  readonly versions?: readonly string[]
}): HostConfig {
  const { db, profiles = {}, baseUrl: rootUrl, streams = false, queries = false } = options
  const { versions = [VERSION] } = options
  const metadata = require.resolve('./metadata.js')
  const serviceOf = (type: string, version: string): ExportedService => ({
    ...createService(db, type, { streams, version, ...(rootUrl === undefined ? {} : { rootUrl }) }),
    ...(queries && { exportQuery: (args, { req }) => searchQuery(type, args, req, version) }),
  })
  const profileOf = (type: string): HostProfile => {
    const served = versions.filter((version) => hostTypes(version).includes(type))
    return {
      service: serviceByVersion(new Map(served.map((version) => [version, serviceOf(type, version)]))),
      versions: served,
      metadata,
      ...profiles[type],
    }
  }
  const types = [...new Set(versions.flatMap((version) => hostTypes(version)))].sort()
  return {
    profiles: Object.fromEntries(types.map((type) => [type, profileOf(type)])),
    server: {},
    logging: { level: 'warn' },
  }
}
