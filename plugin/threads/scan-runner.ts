import type { Db, MongoClientOptions } from 'mongodb'
import type { Logger } from 'winston'
import type { ScanRunner } from '../jobs/scan-order.js'
import type { ScanReading } from '../search/scan-batches.js'
import { BatchSource } from '../search/scan-source.js'
import { localScans } from './local-scans.js'
import { scanThreads } from './scan-threads.js'

export interface ScanRunnerOptions {
  readonly db: Db
  /** For threads, which connect by themselves: the URI, and what counts besides it. */
  readonly uri: string
  readonly connection: MongoClientOptions
  /** How the database is read, and in how many threads; 0: in the one that asks. */
  readonly scan: ScanReading & { readonly threads: number }
  readonly logger: Pick<Logger, 'warn'>
}

/** Reads the collections of a database. */
export function scanRunner({ db, uri, connection, scan, logger }: ScanRunnerOptions): ScanRunner {
  const { threads: count, ...reading } = scan
  const here = localScans({ db, source: new BatchSource(db, reading) })
  if (count === 0) return here
  const data = { uri, database: db.databaseName, connection, reading }
  return scanThreads({ count, data, otherwise: here, logger })
}
