import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type Db, MongoClient } from 'mongodb'
import type { Settings } from '../../config/settings.js'
import { storageEnvironment } from '../../config/storage-environment.js'
import type { BulkExport } from '../../plugin/index.js'
import { createExampleExport, type ExampleExportOptions } from './example-export.js'
import { ensureIndexes, VERSION } from './index.js'
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
   * @returns the FHIR base URL on this machine, of the first version
   */
  listen(port: number, host: string): Promise<string>
  /** Hands work back, ends connections and closes the database client. */
  close(): Promise<void>
}

export interface ExampleHostOptions extends Omit<ExampleExportOptions, 'db' | 'storage'> {
  readonly settings: ExampleExportOptions['settings'] & Pick<Settings, 'exportStorage'>
}

/**
 * Opens the example host on a MongoDB server: its services, its indexes and its export workers. It serves
 * nothing before `listen`, which a process that is a worker only never calls.
 */
export async function openExampleHost(options: ExampleHostOptions): Promise<ExampleHost> {
  const storage = await openStorage(options.settings.exportStorage, storageEnvironment())
  const client = await MongoClient.connect(options.uri)
  const db = client.db(options.settings.mongodbDatabase)
  const { fhirVersions: versions = [VERSION] } = options.settings
  for (const version of versions) await ensureIndexes(db, undefined, version)
  const bulkExport = createExampleExport({ ...options, db, storage })
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
      return `http://${host}:${(server.address() as AddressInfo).port}/${versions[0]}`
    },
    close,
  }
}
