import type { Db } from 'mongodb'
import type { Logger } from 'winston'
import type { Settings } from '../../config/settings.js'
import {
  type BulkExport,
  type BulkExportOptions,
  createBulkExport,
  type ExportStorage,
} from '../../plugin/index.js'
import { authorizationConfig } from './authorization.js'
import { createHostConfig, deletedSince } from './index.js'

export interface ExampleExportOptions {
  /** URI of the MongoDB server. */
  readonly uri: string
  /** What the services read. */
  readonly db: Db
  readonly storage: ExportStorage
  readonly settings: Pick<
    Settings,
    'mongodbDatabase' | 'exportWorkers' | 'exportRead' | 'baseUrl' | 'oauthIssuer'
  > &
    Partial<Pick<Settings, 'fhirVersions'>>
  readonly logger: Logger
  /** Profile settings by type, in the place of those of the example. */
  readonly profiles?: Readonly<Record<string, object>>
  /** Options of the plugin in the place of those that follow from the settings. */
  readonly exportOptions?: Partial<BulkExportOptions>
}

/** The plugin as the settings say it, on the services of the example host. It is not started. */
export function createExampleExport(options: ExampleExportOptions): BulkExport {
  const { uri, db, storage, settings, logger, profiles = {}, exportOptions = {} } = options
  const { mongodbDatabase: database, exportWorkers: workers, baseUrl } = settings
  const root = baseUrl === undefined ? {} : { baseUrl }
  return createBulkExport({
    config: {
      ...createHostConfig({
        ...{ db, profiles, ...root, streams: settings.exportRead !== 'search' },
        queries: settings.exportRead === 'scan',
        ...(settings.fhirVersions && { versions: settings.fhirVersions }),
      }),
      ...authorizationConfig(settings),
    },
    mongodb: { uri, database },
    ...{ storage, workers, logger, ...root },
    deletedSince: deletedSince(db),
    ...exportOptions,
  })
}
