import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type Db, MongoClient } from 'mongodb'
import type { Logger } from 'winston'
import type { Settings } from '../../config/settings.js'
import { storageEnvironment } from '../../config/storage-environment.js'
import { type BulkExport, type BulkExportOptions, createBulkExport } from '../../plugin/index.js'
import { collectionName, createHostConfig, deletedSince, ensureIndexes, VERSION } from './index.js'
import { openStorage } from './storage.js'

const { initialize } = createRequire(import.meta.url)('@asymmetrik/node-fhir-server-core') as {
  initialize(config: object, app: express.Express): unknown
}

/** The example FHIR server with the export plugin. */
export interface ExampleHost {
  readonly db: Db
  readonly bulkExport: BulkExport
  /**
   * Serves HTTP.
   *
   * @param port 0 lets the system choose
   * @returns the FHIR base URL on this machine
   */
  listen(port: number, host: string): Promise<string>
  /** Hands work back, ends connections and closes the database client. */
  close(): Promise<void>
}

export interface ExampleHostOptions {
  /** URI of the MongoDB server. */
  readonly uri: string
  readonly settings: Pick<
    Settings,
    'mongodbDatabase' | 'exportStorage' | 'exportWorkers' | 'exportRead' | 'baseUrl'
  >
  readonly logger: Logger
  /** Profile settings by type, in the place of those of the example. */
  readonly profiles?: Readonly<Record<string, object>>
  /** Options of the plugin in the place of those that follow from the settings. */
  readonly exportOptions?: Partial<BulkExportOptions>
}

/**
 * Opens the example host on a MongoDB server: its services, its indexes and its export workers. It serves
 * nothing before `listen`, which a process that is a worker only never calls.
 */
export async function openExampleHost(options: ExampleHostOptions): Promise<ExampleHost> {
  const { uri, settings, logger, profiles = {}, exportOptions = {} } = options
  const { mongodbDatabase: database, exportStorage, exportWorkers: workers, baseUrl } = settings
  const storage = await openStorage(exportStorage, storageEnvironment())
  const client = await MongoClient.connect(uri)
  const db = client.db(database)
  await ensureIndexes(db)
  const root = baseUrl === undefined ? {} : { baseUrl }
  const bulkExport = createBulkExport({
    config: createHostConfig({ db, profiles, ...root, streams: settings.exportRead !== 'search' }),
    mongodb: { uri, database },
    ...{ storage, workers, logger, ...root },
    deletedSince: deletedSince(db),
    ...(settings.exportRead === 'scan' ? { collections: collectionName } : {}),
    ...exportOptions,
  })
  let server: Server | undefined
  const close = async () => {
    const closed = new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
    server?.closeIdleConnections()
    await bulkExport.stop()
    server?.closeAllConnections()
    await closed
    await client.close()
  }
  try {
    await bulkExport.start()
  } catch (error) {
    await close()
    throw error
  }
  return {
    db,
    bulkExport,
    async listen(port, host) {
      const app = express()
      app.disable('x-powered-by')
      app.use(bulkExport.router)
      initialize(bulkExport.config, app)
      server = app.listen(port, host)
      await new Promise((resolve, reject) => server?.once('listening', resolve).once('error', reject))
      return `http://${host}:${(server.address() as AddressInfo).port}/${VERSION}`
    },
    close,
  }
}
