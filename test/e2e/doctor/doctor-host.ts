import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type BulkExport,
  type BulkExportOptions,
  createBulkExport,
  type Diagnosis,
  type HostProfile,
} from '../../../plugin/index.js'
import { createTestLogger, type LogRecord } from '../../support/logger.js'
import type { TestDatabase } from '../../support/mongodb.js'

/** A host that is not started, on a folder of its own. */
export interface DoctorHost {
  readonly bulkExport: BulkExport
  readonly folder: string
  readonly log: readonly LogRecord[]
  close(): Promise<void>
}

/** One whose options give no reason for a warning. */
export async function doctorHost(
  database: Pick<TestDatabase, 'uri'>,
  profiles: Readonly<Record<string, HostProfile>>,
  options: Partial<BulkExportOptions> = {},
): Promise<DoctorHost> {
  const folder = await mkdtemp(join(tmpdir(), 'bulk-export-doctor-'))
  const { logger, records } = createTestLogger()
  const bulkExport = createBulkExport({
    config: { profiles },
    mongodb: { uri: database.uri },
    storage: pathToFileURL(folder).href,
    baseUrl: 'https://fhir.example.org',
    authorize: async () => ({ types: 'all' }),
    logger,
    ...options,
  })
  return {
    ...{ bulkExport, folder, log: records },
    async close() {
      await bulkExport.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What is not as it should be, as `level check type`, sorted. */
export function troubles({ findings }: Diagnosis, area?: string): readonly string[] {
  return findings
    .filter((finding) => finding.level !== 'ok' && (area === undefined || finding.area === area))
    .map(({ level, check, type }) => [level, check, ...(type === undefined ? [] : [type])].join(' '))
    .sort()
}
