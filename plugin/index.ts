import type { Router } from 'express'
import { createConnection } from 'mongoose'
import { createLogger, format, type Logger, transports } from 'winston'
import { EXAMINED, type ExaminedHost } from './doctor/examined-host.js'
import { ExportError } from './errors.js'
import { EXPORT_VERSIONS } from './fhir/fhir-version.js'
import type { Authorize } from './http/access.js'
import { exportStatementGenerator, type StatementGenerator } from './http/capability-statement.js'
import { downloadFile } from './http/download.js'
import { deleteExport, exportStatus } from './http/export-status.js'
import { type HostAuth, hostAuthentication } from './http/host-authentication.js'
import { kickOff } from './http/kick-off.js'
import { operatorPage } from './http/operator-page.js'
import { pollLimit } from './http/poll-limit.js'
import { createRouter, type RouteHandlers } from './http/routes.js'
import { urlSigner } from './http/signed-urls.js'
import { smartConfiguration } from './http/smart-configuration.js'
import { createModels } from './jobs/collections.js'
import { type Engine, startEngine } from './jobs/engine.js'
import { NO_METRICS } from './jobs/metrics.js'
import { prometheusMetrics } from './jobs/prometheus-metrics.js'
import { type BulkExportOptions, type ResolvedOptions, resolveOptions } from './options.js'
import type { HostConfig } from './search/core.js'
import { hostQueries } from './search/host-query.js'
import { hostSearch } from './search/host-search.js'
import { scansOf } from './search/scans.js'
import type { ExportStorage } from './storage/export-storage.js'
import { fileStorage } from './storage/file.js'
import { scanRunner } from './threads/scan-runner.js'

export type { DoctorOptions } from './doctor/examined-host.js'
export type { Area, Diagnosis, Finding, Level, TypeReading } from './doctor/finding.js'
export { runDoctor } from './doctor/run-doctor.js'
export { ExportError } from './errors.js'
export type { GrantedTypes } from './fhir/smart-scopes.js'
export type { Access, Authorize, AuthorizeOperator, Operator } from './http/access.js'
export type { HttpRequest, KickOffTarget } from './http/message.js'
export type { Manifest, ManifestFile } from './jobs/manifest.js'
export type { PrometheusClient } from './jobs/prometheus-client.js'
export type { ReadingWay } from './jobs/reading-way.js'
export type { BulkExportOptions } from './options.js'
export type { HostConfig, HostProfile, ProfileService } from './search/core.js'
export type {
  DeletedResource,
  DeletedSince,
  GroupMembers,
  HookContext,
  Items,
} from './search/host-hooks.js'
export type { ByteRange, Containers, ExportStorage, WriteOptions } from './storage/export-storage.js'
export { ContainerError } from './storage/export-storage.js'

/** The `$export` operation of one host. */
export interface BulkExport {
  /** To be mounted on the Express app at its root, before `initialize(config, app)`. */
  readonly router: Router
  /** The host's configuration with the operation in its CapabilityStatement, for `initialize`. */
  readonly config: HostConfig
  /**
   * Connects, tries the storage, and begins to work on jobs. Until then requests are answered 503.
   *
   * @throws Error naming the database or the folder that cannot be used
   */
  start(): Promise<void>
  /**
   * Hands running tasks back to other workers and closes what `start` opened. Agenda's own timers may keep an
   * otherwise idle process alive for up to three seconds after that.
   */
  stop(): Promise<void>
  /** What `runDoctor` looks at. */
  readonly [EXAMINED]: ExaminedHost
}

/** The connections of the plugin, whatever the URI says. */
const CONNECTION = {
  // What a member has that lags behind, the record must not be taken for.
  readPreference: 'primary',
  /** The longest that anything waits for the database to be reachable, in ms. */
  serverSelectionTimeoutMS: 5000,
  appName: 'node-fhir-server-bulk-export',
} as const

/**
 * Gives a server on node-fhir-server-core the FHIR Bulk Data `$export` operation, in all of
 * its FHIR versions: 4_0_0, 4_0_1, 3_0_1 and 1_0_2.
 *
 * @throws Error naming every option that is wrong
 */
export function createBulkExport(options: BulkExportOptions): BulkExport {
  const resolved = resolveOptions(options)
  const { config, levels, groupMembers, deletedSince } = resolved
  const logger = resolved.logger ?? defaultLogger()
  const metrics = resolved.metrics ? prometheusMetrics(resolved.metrics, logger) : NO_METRICS
  const search = hostSearch(config, resolved)
  const queries = hostQueries(config, resolved)
  const authorize = resolved.authorize ?? authorizationOf(config, logger)
  const storage = typeof resolved.storage === 'string' ? fileStorage(resolved.storage) : resolved.storage
  let opened: { engine: Engine; close(): Promise<void> } | undefined
  let starting: Promise<void> | undefined
  const open = async () => {
    await storage.check()
    const connection = await connect(resolved.mongodb)
    try {
      const { maxFileResources, maxFileBytes, maxResourceBytes } = resolved
      const { db } = connection
      if (db === undefined) throw new Error('The connection to MongoDB is not open.')
      const scans = scansOf({ db, names: resolved.collections, queries })
      const scanning = { db, uri: resolved.mongodb.uri, connection: CONNECTION, scan: resolved.scan, logger }
      const runner = scanRunner(scanning)
      const started = await startEngine({
        ...resolved,
        ...{ connection, search, storage, logger, metrics, groupMembers, deletedSince, scans },
        scanRunner: runner,
        limits: { resources: maxFileResources, bytes: maxFileBytes, resourceBytes: maxResourceBytes },
      })
      opened = {
        engine: started,
        async close() {
          await runner.close()
          await connection.close()
        },
      }
    } catch (error) {
      await connection.close()
      throw error
    }
  }
  const engine = (): Engine => {
    if (opened !== undefined) return opened.engine
    throw new ExportError(503, 'This server is starting; exports are not available yet.', {
      code: 'transient',
      retryAfter: 5,
    })
  }
  const signUrls =
    resolved.signedUrls === undefined ? undefined : urlSigner(signerOf(storage), resolved.signedUrls)
  const polls = pollLimit(resolved.minPollInterval)
  const handlers: RouteHandlers = {
    kickOff: async (target, request) =>
      kickOff(target, request, await authorize({ ...request, kickOff: target }), {
        ...{ ...resolved, groupMembers, listsDeleted: deletedSince !== undefined },
        hasContainers: storage.containers !== undefined,
        ...{ engine: engine(), search, logger },
      }),
    status: async (job, request) =>
      exportStatus(job, request, await authorize(request), { engine: engine(), polls, signUrls }),
    remove: async (job, request) => deleteExport(job, await authorize(request), engine()),
    download: async (job, file, request) =>
      downloadFile(job, file, request, await authorize(request), { engine: engine(), storage }),
  }
  const { baseUrl, maxBodyBytes: bodyLimit } = resolved
  const page = resolved.operatorPage && {
    path: resolved.operatorPage.path,
    answer: operatorPage({
      ...{ engine, logger, authorize: resolved.operatorPage.authorize },
      authorizeExport: authorize,
    }),
  }
  const discovery = smartConfiguration({
    security: config['security'],
    isProtected: isProtected(resolved),
    given: resolved.smartConfiguration,
  })
  if (discovery === undefined && resolved.smartConfiguration) {
    logger.warn('smart-configuration.none', {
      reason: 'There is no authorisation, or no token endpoint to name.',
    })
  }
  const own = config.statementGenerator as StatementGenerator | undefined
  return {
    router: createRouter({
      ...{ versions: EXPORT_VERSIONS, bodyLimit, handlers, logger },
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(discovery === undefined ? {} : { smartConfiguration: discovery }),
      ...(page === undefined ? {} : { operatorPage: page }),
    }),
    config: {
      ...config,
      statementGenerator: exportStatementGenerator(
        { levels, versions: EXPORT_VERSIONS, types: search.types },
        own,
      ),
    },
    start() {
      starting ??= open().catch((error: unknown) => {
        starting = undefined
        throw error
      })
      return starting
    },
    async stop() {
      // Whoever called start() is told why it failed.
      await starting?.catch(() => undefined)
      starting = undefined
      const closing = opened
      opened = undefined
      await closing?.engine.stop()
      await closing?.close()
    },
    [EXAMINED]: {
      ...{
        options: resolved,
        versions: EXPORT_VERSIONS,
        isProtected: isProtected(resolved),
        storage,
        logger,
      },
      async connect() {
        const connection = await connect(resolved.mongodb)
        return {
          db: connection.getClient().db(connection.name),
          models: createModels(connection),
          close: () => connection.close(),
        }
      },
    },
  }
}

function authorizationOf({ auth }: HostConfig, logger: Logger): Authorize {
  const { strategy } = (auth ?? {}) as Partial<HostAuth>
  if (strategy !== undefined) return hostAuthentication(auth as HostAuth, logger)
  logger.warn('authorization.none', { reason: 'The host has no config.auth: whoever reaches it may export.' })
  return async () => ({ types: 'all' })
}

/** Whether this server asks for a token, or for whatever else the host decides by. */
function isProtected({ authorize, config: { auth } }: ResolvedOptions): boolean {
  return authorize !== undefined || ((auth ?? {}) as Partial<HostAuth>).strategy !== undefined
}

async function connect({ uri, database }: ResolvedOptions['mongodb']) {
  const connection = createConnection(uri, {
    ...(database === undefined ? {} : { dbName: database }),
    ...CONNECTION,
    bufferCommands: false,
  })
  try {
    return await connection.asPromise()
  } catch (cause) {
    await connection.close()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`MongoDB cannot be reached for exports: ${reason}`, { cause })
  }
}

function defaultLogger() {
  return createLogger({
    level: 'info',
    format: format.combine(format.timestamp(), format.errors({ stack: true }), format.json()),
    transports: [new transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  })
}

function signerOf(storage: ExportStorage): NonNullable<ExportStorage['signedUrl']> {
  const { signedUrl } = storage
  if (signedUrl === undefined) {
    throw new Error('createBulkExport: signedUrls needs a storage that can sign URLs; this one cannot.')
  }
  // It may be a class instance that needs its `this`.
  return (key, expires) => signedUrl.call(storage, key, expires)
}
