import type { ResourceType } from '../fhir/resource.js'
import type { Window } from '../fhir/window.js'
import type { PatientSet } from '../search/scan-patients.js'
import type { IdRange } from './model.js'
import type { FileLimits, Part } from './output.js'

/** What a task reads of a collection. */
export interface ScanOrder {
  readonly type: ResourceType
  readonly collection: string
  /** For the database; empty: all documents. */
  readonly filter: Readonly<Record<string, unknown>>
  /** The FHIR base URL of this server. */
  readonly base: string
  /** Absent: it goes by patients. */
  readonly range?: IdRange
  /** Go on after this `_id`. */
  readonly after?: string | undefined
  readonly window: Window
  /** Only these root elements; absent: all. */
  readonly elements?: readonly string[] | undefined
  /** Whose compartments are meant; absent: all resources are. */
  readonly members?: PatientSet | 'everyone'
  readonly limits: FileLimits
}

/** Patients in ascending order, so many at a time. */
export type PatientBatches = AsyncIterator<readonly string[]>

/** What a scan is told while it runs. */
export interface ScanControl {
  readonly signal: AbortSignal
  /** Asked now and then; when it is, a part with at least one resource ends. */
  isEnough(): boolean
}

/** Carries orders out. */
export interface ScanRunner {
  /**
   * The parts of a scan. Each must be drained before the next one is asked for.
   *
   * @param batches for an order without a range
   */
  parts(order: ScanOrder, batches: PatientBatches | undefined, control: ScanControl): AsyncGenerator<Part>
  /** Gets ready for orders that are about to come. */
  prepare(): void
  close(): Promise<void>
}
