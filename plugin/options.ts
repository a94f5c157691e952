import { fileURLToPath } from 'node:url'
import type { Logger } from 'winston'
import { z } from 'zod'
import type { Authorize, AuthorizeOperator } from './http/access.js'
import type { PrometheusClient } from './jobs/prometheus-client.js'
import type { HostConfig } from './search/core.js'
import type { DeletedSince, GroupMembers } from './search/host-hooks.js'
import type { CollectionNames } from './search/scan-collection.js'
import type { ExportStorage } from './storage/export-storage.js'

const READ_PREFERENCES = [
  'primary',
  'primaryPreferred',
  'secondary',
  'secondaryPreferred',
  'nearest',
] as const

const MIB = 1024 * 1024
const DAY = 24 * 60 * 60 * 1000
/** What a date can hold is not without end. */
const LONGEST_RETENTION = 36_500 * DAY

const endpoint = z.string().refine(isEndpoint, 'must be an http or https URL without a fragment').optional()
const names = z.array(z.string().min(1)).optional()
const positive = z.int().min(1)
/** SMART App Launch 2.2.0, Conformance, "Metadata": what is named there has to have its form. */
const smartConfigurationSchema = z
  .object({
    ...{ token_endpoint: endpoint, authorization_endpoint: endpoint, registration_endpoint: endpoint },
    ...{ management_endpoint: endpoint, introspection_endpoint: endpoint, revocation_endpoint: endpoint },
    ...{ issuer: endpoint, jwks_uri: endpoint },
    ...{ grant_types_supported: names, response_types_supported: names, scopes_supported: names },
    ...{ token_endpoint_auth_methods_supported: names, code_challenge_methods_supported: names },
    ...{ token_endpoint_auth_signing_alg_values_supported: names, capabilities: names },
  })
  .catchall(z.json().optional())

const hook = <T>() => z.custom<T>((value) => typeof value === 'function', 'must be a function')
/** Not below a FHIR version. */
const PAGE_PATH = /^(?!\/\d_\d_\d(\/|$))(\/[\w~-][\w.~-]*)+$/

/**
 * The options of `createBulkExport`, with every default. Times are in ms, sizes in bytes.
 */
export const optionsSchema = z.strictObject({
  /** The configuration object that the host gives to `initialize(config, app)`. */
  config: z.custom<HostConfig>(
    (value) => typeof value === 'object' && value !== null && 'profiles' in value,
    'must be the configuration object of the host, with its profiles',
  ),
  /** Where jobs are kept; usually the database of the host. The plugin opens a connection of its own. */
  mongodb: z.strictObject({
    uri: z.string().regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb:// or mongodb+srv://'),
    /** Default: the one that the URI names. */
    database: z.string().min(1).optional(),
  }),
  /** Where output files go: a folder as a `file:` URL, or any `ExportStorage`. */
  storage: z.union([
    z.string().refine(isFileUrl, 'must be a file:// URL of a folder on this machine, or an ExportStorage'),
    z.custom<ExportStorage>(isStorage, 'must be a file:// URL or an ExportStorage'),
  ]),
  /** Public root URL of the server, without the FHIR version. Default: that of each request. */
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .transform(withoutSlash)
    .optional(),
  /** Levels at which this server exports; another one is answered 404. */
  levels: z.array(z.enum(['system', 'patient', 'group'])).default(['system', 'patient', 'group']),
  /** Demand `Accept: application/fhir+json` and `Prefer: respond-async` instead of assuming them. */
  strictHeaders: z.boolean().default(false),
  /** Tasks that this process runs at the same time. With 0 it only answers HTTP, and other processes work. */
  workers: z.int().min(0).default(2),
  /**
   * What all tasks of this process together write in a second at most, and so read from the database, which others need
   * too. At least 1,000 resources and 1 MiB, so that an export never looks as if it stood still. Default: without limit.
   */
  maxRate: z
    .strictObject({ resources: z.int().min(1000).optional(), bytes: z.int().min(MIB).optional() })
    .optional(),
  /** An output file is full at this many resources … */
  maxFileResources: z.int().min(1).default(100_000),
  /** … or before it would grow over this many bytes. */
  maxFileBytes: positive.default(64 * MIB),
  /** A resource with a larger line is left out and named in an `error` file. */
  maxResourceBytes: positive.default(32 * MIB),
  /** Keep files compressed with gzip. Clients that do not take gzip get them decompressed on the way. */
  compressFiles: z.boolean().default(false),
  /**
   * Give clients URLs of the storage itself, which need no token and are valid for this long from each status request
   * on, but no longer than the files are kept. Absent: clients read files through this server, with their token.
   */
  signedUrls: z
    .int()
    .min(1000)
    .max(7 * DAY)
    .optional(),
  /** Tell clients the SHA-256 and the size of each file, as `extension` of its entry in the manifest. */
  hashFiles: z.boolean().default(false),
  /** Put a `manifest.json` beside the files, when all of them are there, for people who only see the storage. */
  manifestFile: z.boolean().default(false),
  /** Resources asked of a search service at once; each task holds two such pages in memory, as one is asked for ahead … */
  pageSize: z.int().min(1).default(250),
  /** … and fewer where the first ones show that a page would be larger than this, if the service heeds `_count`. */
  maxPageBytes: positive.default(8 * MIB),
  /**
   * For how many patients of a group, or lists of them, a task searches at the same time; 1: one after the other. Their
   * pages share `maxPageBytes`.
   */
  searchConcurrency: z.int().min(1).default(4),
  /** Largest body of a kick-off. */
  maxBodyBytes: z.int().min(1).default(MIB),
  /** What a kick-off does when no process with workers was heard of for a minute: it is refused with 503, or waits. */
  withoutWorkers: z.enum(['refuse', 'wait']).default('refuse'),
  /** How long a worker that is not heard of keeps its task. */
  lease: z.int().min(1000).default(30_000),
  /** How long one search of a service may take, or a stream to give its next resource; then it is tried again, and the export fails in the end. */
  searchTimeout: z
    .int()
    .min(1)
    .default(5 * 60_000),
  /** How long an export may stand still, with nothing read or written; then the same. */
  stallTimeout: z
    .int()
    .min(1000)
    .default(10 * 60_000),
  /** The longest time from the moment a write sets `meta.lastUpdated` until a search finds it. */
  writeGrace: z.int().min(0).default(500),
  /** How long the files and the record of an export are kept after it was completed or has failed. */
  retention: z.int().min(0).max(LONGEST_RETENTION).default(DAY),
  /** Exports under way at the same time, on all processes together; one more kick-off is answered 429. */
  maxRunningExports: z.int().min(1).default(100),
  /** The same for each client; without authorisation clients cannot be told apart, and only the total counts. */
  maxRunningExportsPerClient: z.int().min(1).default(10),
  /** Demand a token that covers `Group` for the export of a Group, whatever types it asks for. */
  requireGroupRead: z.boolean().default(false),
  /** Answer a kick-off 429 while the same client has an export under way that asks for the same. */
  refuseDuplicates: z.boolean().default(false),
  /** Time between two status requests for an export; ten may come faster, then they are answered 429. 0: never. */
  minPollInterval: z.int().min(0).default(100),
  /**
   * Decides who may export what, in the place of the host's own `config.auth`. Throws an `ExportError` with 401 or
   * 403 for whoever may not.
   */
  authorize: z.custom<Authorize>((value) => typeof value === 'function', 'must be a function').optional(),
  /**
   * Names the collection of the host's database that keeps a type as plain FHIR JSON, one resource a document, all of them
   * for every caller: unless a `_typeFilter` needs its search, it is read from there, at all levels, and much faster. Rules of
   * services hold only in `exportQuery` (see `ProfileService`), which counts where a type has both.
   */
  collections: z
    .custom<CollectionNames>((value) => typeof value === 'function', 'must be a function')
    .optional(),
  /** How collections are read past the services. */
  scan: z
    .strictObject({
      /** Which members of a replica set are asked; default: the primary. A secondary first has to have all that it has. */
      readPreference: z.enum(READ_PREFERENCES).optional(),
      /** Documents in one answer of the database at most; large ones are fewer, so that it has about 1 MiB. */
      batchSize: z.int().min(1).default(4000),
      /** How long the database may work for one query, all its answers together; default: without limit. */
      maxTimeMS: z.int().min(1).optional(),
      /**
       * Threads that read collections, for processes that also answer requests: their event loop is free then. Each takes
       * a core at most, some 20 MiB, and connections of its own. Default: 0, the thread of the host reads.
       */
      threads: z.int().min(0).max(16).default(0),
    })
    .prefault({}),
  /** Finds the members of Groups that do not list them; without it their export is refused with 422. */
  groupMembers: hook<GroupMembers>().optional(),
  /** Finds deleted resources; without it no export lists any. */
  deletedSince: hook<DeletedSince>().optional(),
  /**
   * Fields of `.well-known/smart-configuration` to add or to put in the place of those that come from
   * `config.security`; `false`: the plugin does not serve that document.
   */
  smartConfiguration: z.union([z.literal(false), smartConfigurationSchema]).optional(),
  /** The module `prom-client` of the host, to count exports on its registry. Default: nothing is counted. */
  metrics: z
    .custom<PrometheusClient>(isPrometheusClient, 'must be the module prom-client, or have its parts')
    .optional(),
  /** A page on which operators see all exports and cancel them. Default: there is none. */
  operatorPage: z
    .strictObject({
      /** Where it is, below the root of the server; the host's own paths under it are hidden. */
      path: z.string().regex(PAGE_PATH, 'must be a path such as /exports').default('/exports'),
      /** Says who operates, at each request. Throws an `ExportError` with 401 or 403 for whoever does not. */
      authorize: hook<AuthorizeOperator>(),
    })
    .optional(),
  /** Default: a winston logger that writes JSON to standard error, from level `info`. */
  logger: z.custom<Logger>(isLogger, 'must be a winston logger').optional(),
})

/** What a host gives to `createBulkExport`. */
export type BulkExportOptions = z.input<typeof optionsSchema>

/** The same with all defaults filled in. */
export type ResolvedOptions = z.output<typeof optionsSchema>

/**
 * Checks options and fills in the defaults.
 *
 * @throws Error naming every option that is wrong
 */
export function resolveOptions(options: BulkExportOptions): ResolvedOptions {
  const result = optionsSchema.safeParse(options)
  if (!result.success) throw new Error(`createBulkExport: ${z.prettifyError(result.error)}`)
  return result.data
}

function isFileUrl(value: string): boolean {
  try {
    return fileURLToPath(value) !== ''
  } catch {
    return false
  }
}

/** A parser of URLs would let pass what is around them, and line breaks within. */
function isEndpoint(value: string): boolean {
  return /^https?:\/\/[^\s#]+$/i.test(value) && URL.canParse(value)
}

function isStorage(value: unknown): boolean {
  const storage = value as Partial<ExportStorage> | null | undefined
  const isWhole = (['write', 'read', 'removeAll', 'removeOthers', 'check'] as const).every(
    (name) => typeof storage?.[name] === 'function',
  )
  const containers = storage?.containers
  return isWhole && (containers === undefined || typeof containers?.open === 'function')
}

function isPrometheusClient(value: unknown): boolean {
  const { Counter, Gauge, register } = (value ?? {}) as Partial<PrometheusClient>
  return [Counter, Gauge, register?.getSingleMetric, register?.registerMetric].every(
    (part) => typeof part === 'function',
  )
}

function isLogger(value: unknown): boolean {
  const logger = value as Partial<Logger> | null | undefined
  return (['error', 'warn', 'info', 'debug'] as const).every((name) => typeof logger?.[name] === 'function')
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}
