import type { Logger } from 'winston'
import type { ResourceType } from '../fhir/resource.js'
import type { Models } from '../jobs/collections.js'
import type { HostConfig } from '../search/core.js'
import type { HostQueries } from '../search/host-query.js'
import type { CollectionNames } from '../search/scan-collection.js'
import type { Caller } from '../search/search-adapter.js'
import type { ExportStorage } from '../storage/export-storage.js'
import type { Db } from './database.js'

/** Under this name a `BulkExport` carries what a doctor looks at. */
export const EXAMINED: unique symbol = Symbol('examined')

/** The options of the plugin that a doctor looks at; times in ms. */
export interface ExaminedOptions {
  readonly config: HostConfig
  readonly collections?: CollectionNames | undefined
  readonly baseUrl?: string | undefined
  readonly levels: readonly string[]
  readonly workers: number
  readonly writeGrace: number
  readonly retention: number
  readonly lease: number
  readonly searchTimeout: number
  readonly stallTimeout: number
  readonly signedUrls?: number | undefined
  readonly maxRunningExports: number
  readonly maxRunningExportsPerClient: number
  readonly withoutWorkers: 'refuse' | 'wait'
}

/** A connection of the doctor's own. */
export interface OpenDatabase {
  readonly db: Db
  readonly models: Models
  close(): Promise<void>
}

/** A host with the plugin, as a doctor finds it: nothing of it need be started. */
export interface ExaminedHost {
  readonly options: ExaminedOptions
  /** FHIR versions that are exported. */
  readonly versions: readonly string[]
  /** Whether anything asks for a token. */
  readonly isProtected: boolean
  readonly storage: ExportStorage
  readonly logger: Logger
  /** @throws Error that says why the database cannot be reached, without credentials */
  connect(): Promise<OpenDatabase>
}

/** How a host is to be examined. */
export interface DoctorOptions {
  /** Only these types; default: all that the host has. */
  readonly types?: readonly ResourceType[]
  /** On whose behalf services are called, since they may have rules for each user. Default: no user, no headers. */
  readonly caller?: Partial<Caller>
  /** Root URL of the server, without the FHIR version. Default: the option `baseUrl`, or `http://localhost`. */
  readonly baseUrl?: string
  /** How many resources of each type are looked at; default 20. A service may give more than it is asked for. */
  readonly sample?: number
  /** How many types are looked at at the same time; default 4. */
  readonly atOnce?: number
  /** How long each search, query and step on the storage may take, in ms; default 10,000. */
  readonly stepTimeout?: number
  /** How long the look at the types may take in all, in ms; default 300,000. What was not looked at is said. */
  readonly timeout?: number
  /** `NODE_ENV` of the server: with `test` the core checks no tokens. Default: nothing is said about it. */
  readonly nodeEnv?: string | undefined
}

/** The same with all defaults filled in. */
export interface Instructions {
  readonly types?: readonly ResourceType[]
  readonly caller: Caller
  readonly baseUrl: string
  readonly sample: number
  readonly atOnce: number
  readonly stepTimeout: number
  readonly timeout: number
  readonly nodeEnv: string | undefined
}

/** What the checks of a host go by. */
export interface Examination {
  readonly host: ExaminedHost
  readonly instructions: Instructions
  /** The `exportQuery` of its services, which have `stepTimeout` to answer. */
  readonly queries: HostQueries
  /** `undefined` when it cannot be reached, which is a finding already. */
  readonly database: OpenDatabase | undefined
}
