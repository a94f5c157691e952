import type { Connection } from 'mongoose'
import type { Logger } from 'winston'
import type { DeletedSince, GroupMembers } from '../search/host-hooks.js'
import type { HostSearch } from '../search/host-search.js'
import type { Scans } from '../search/scans.js'
import type { ExportStorage } from '../storage/export-storage.js'
import type { RunningLimits } from './admission.js'
import type { Metrics } from './metrics.js'
import type { FileLimits } from './output.js'
import type { ScanRunner } from './scan-order.js'
import type { MaxRate } from './throttle.js'

export interface EngineOptions extends RunningLimits {
  readonly connection: Connection
  readonly search: HostSearch
  /** Hooks of the host; absent: it has none. */
  readonly groupMembers?: GroupMembers | undefined
  readonly deletedSince?: DeletedSince | undefined
  /** Collections that may be read past the services; absent: none. */
  readonly scans?: Scans | undefined
  /** What reads them. */
  readonly scanRunner?: ScanRunner | undefined
  readonly storage: ExportStorage
  readonly logger: Logger
  /** Default: nothing is counted. */
  readonly metrics?: Metrics
  readonly limits: FileLimits
  /** Whether files are kept compressed; which of them are is recorded with each. */
  readonly compressFiles: boolean
  /** Whether the hashes of files are recorded. */
  readonly hashFiles: boolean
  /** Whether a manifest is put beside the files. */
  readonly manifestFile: boolean
  /** What this process writes in a second at most; absent: without limit. */
  readonly maxRate?: MaxRate | undefined
  /** Tasks that this process runs at the same time; 0 leaves them to others. */
  readonly workers: number
  /** Resources asked for at once. */
  readonly pageSize: number
  /** How large a page may be as JSON, by an estimate, unless its service gives no smaller ones. */
  readonly maxPageBytes: number
  /** For how many patients of a cohort, or lists of them, searches run at the same time. */
  readonly searchConcurrency: number
  /** How long a worker that is not heard of keeps its task, in ms. */
  readonly lease: number
  /** How long a task may go without reading or writing anything, in ms. */
  readonly stallTimeout: number
  /** What happens to a job when no process works. */
  readonly withoutWorkers: 'refuse' | 'wait'
  /** How long a write may take until it can be read, in ms. */
  readonly writeGrace: number
  /** How long the files and the record of an ended job are kept, in ms. */
  readonly retention: number
}
