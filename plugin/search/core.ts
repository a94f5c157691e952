import { createRequire } from 'node:module'
import { resolve } from 'node:path'

// The host core publishes no types. These are the parts of it that reading needs, and the only place that
// reaches into it.

/** A service of the host, as far as an export calls it. */
export interface ProfileService {
  search?(args: Arguments, context: ServiceContext): Promise<unknown>
  /**
   * All matches of the same search, without pages: an iterable of resources, best an async one, or a promise of it. Each
   * resource comes once; memory is what the service holds at a time. Its iterator is closed (`return`) when no more of
   * it is needed. What has come before an interruption is read again to go on after it, so an order that stays the same
   * saves that the export begins anew.
   */
  searchStream?(args: Arguments, context: ServiceContext): unknown
  /**
   * How many patients may be asked for in one search, as in `subject=Patient/1,Patient/2`, to get what any of them
   * finds. Absent: one. Only for a service that splits such lists: another one would find nobody's resources.
   */
  readonly commaListSize?: number
  /**
   * Gives the query that `search` would run with these arguments for this request, access rules included, without running
   * it: `{ collection, filter }`, the name of a collection (not a view) in the database of the export jobs, which keeps
   * the type as plain FHIR JSON, and a MongoDB filter. May give a promise. Without arguments it is for all that the caller
   * may read. Each document of the collection may be looked at for it, so a type should have one of its own.
   */
  exportQuery?(args: Arguments, context: ServiceContext): unknown
}

type Arguments = Readonly<Record<string, unknown>>

interface ServiceContext {
  readonly req: unknown
}

/** A profile in the host core's configuration. */
export interface HostProfile {
  readonly service: string | ProfileService
  readonly versions: readonly string[]
  /** Path of a module that overrides the search parameters of the profile. */
  readonly metadata?: string
}

/** The configuration object that the host gives to `initialize(config, app)`. */
export interface HostConfig {
  readonly profiles: Readonly<Record<string, HostProfile>>
  readonly auth?: unknown
  readonly statementGenerator?: unknown
  readonly [setting: string]: unknown
}

interface SearchParameterDefinition {
  readonly name: string
  readonly type: string
}

type Middleware = (request: SanitizedRequest, response: undefined, next: (error?: unknown) => void) => void

interface SanitizedRequest {
  sanitized_args?: Readonly<Record<string, unknown>>
}

const require = createRequire(import.meta.url)
const CORE = '@asymmetrik/node-fhir-server-core/dist/server'
const { sanitizeMiddleware } = require(`${CORE}/utils/sanitize.utils.js`) as {
  sanitizeMiddleware(definitions: readonly SearchParameterDefinition[]): Middleware
}
const { getSearchParameters } = require(`${CORE}/utils/params.utils.js`) as {
  getSearchParameters(profile: string, version: string, metadata?: string): SearchParameterDefinition[]
}
const BASE_VERSION: SearchParameterDefinition = { name: 'base_version', type: 'string' }

/**
 * Turns a request into the arguments that the core's controller would call the service with: the declared
 * search parameters, sanitized; everything else removed.
 *
 * @throws what the core throws for a parameter that it refuses
 */
export function sanitizerFor(
  type: string,
  version: string,
  metadata: string | undefined,
): (request: object) => Readonly<Record<string, unknown>> {
  const middleware = sanitizeMiddleware([BASE_VERSION, ...getSearchParameters(type, version, metadata)])
  return (request) => {
    const sanitized: SanitizedRequest = request
    middleware(sanitized, undefined, (error) => {
      if (error) throw error
    })
    return sanitized.sanitized_args ?? {}
  }
}

/** The service of a profile; one given as a path is loaded as the core loads it, from the working directory. */
export function serviceOf({ service }: HostProfile): ProfileService {
  if (typeof service !== 'string') return service
  return require(resolve(service)) as ProfileService
}

/** The resource type that a profile is for: the core also takes its name in lower case. */
export function typeOf(profile: string, { versions }: Pick<HostProfile, 'versions'>): string {
  if (/^[A-Z]/.test(profile)) return profile
  const schemas = versions.map((version) => schemaOf(version, profile))
  return schemas.find((schema) => schema?.resourceType !== undefined)?.resourceType ?? profile
}

/** The names of the root elements of a type, choices under each of their names. */
export function elementsOf(type: string, version: string): readonly string[] {
  const Schema = schemaOf(version, type)
  return Schema === undefined ? [] : Object.keys(new Schema({})).filter((name) => !name.startsWith('_'))
}

interface SchemaClass {
  new (data: object): object
  readonly resourceType?: string
}

/** Loaded only when it is needed: it brings every class of every version. */
function schemaOf(version: string, name: string): SchemaClass | undefined {
  const { resolveSchema } = require(`${CORE}/utils/schema.utils.js`) as {
    resolveSchema(version: string, name: string): SchemaClass | undefined
  }
  return resolveSchema(version, name)
}
