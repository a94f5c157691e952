import type { Issue } from '../errors.js'
import type { AssociatedProvenance } from '../fhir/associated-data.js'
import type { ExportLevel, ExportRequest } from '../fhir/export-request.js'
import type { ResourceType } from '../fhir/resource.js'
import type { ScanOrigin } from '../search/scans.js'
import type { FailureReason } from './failure-reason.js'
import type { TypesReading } from './reading-way.js'

export type JobStatus = 'accepted' | 'running' | 'completed' | 'failed' | 'cancelled' | 'expired'
export type TaskStatus = 'waiting' | 'running' | 'done' | 'cancelled'

/** What a job keeps of its request. */
type Narrowing = Pick<ExportRequest, 'types' | 'since' | 'before' | 'filters' | 'elements' | 'patients'>

/** One accepted kick-off request. */
export interface ExportJob extends Narrowing {
  /** 32 hexadecimal digits from a secure source: whoever does not know it cannot guess it. */
  readonly _id: string
  readonly status: JobStatus
  readonly level: ExportLevel
  readonly groupId?: string
  /** Fixed at acceptance, the upper bound of everything that is read. */
  readonly transactionTime: Date
  /** The kick-off URL, for `request` in the manifest. */
  readonly requestUrl: string
  /** The FHIR base URL, such as `https://fhir.example.org/4_0_0`. */
  readonly base: string
  /** The client that the job belongs to; absent on a server without authorisation. */
  readonly owner?: string
  /** JSON of the `Caller`: names that its headers and claims may have are not all names for a database. */
  readonly caller: string
  /** Where its files are on the storage; absent: under its id. */
  readonly folder?: string
  /** What of the request was left out, for the client to read in the `error` files; absent: nothing. */
  readonly notes?: readonly Issue[]
  /** Whether the resources that were deleted in the time of the export are listed. */
  readonly listsDeleted?: boolean
  /** How Provenance is chosen; absent: like any other type. */
  readonly provenance?: ProvenanceChoice
  /** The same for all jobs in which a client asks for the same, see `fingerprintOf`. */
  readonly fingerprint?: string
  /** Whether status answers speak of themselves, and name the status of the export apart; absent: not. */
  readonly separateStatus?: boolean
  /** The last file number given out for each first part of a name; a number is never given twice. */
  readonly fileNumbers: Readonly<Record<string, number>>
  /** How many resources have been written for it; who has got least comes first. */
  readonly served: number
  /** The last checkpoints of all its tasks, the oldest first, for telling how fast it goes; absent: none yet. */
  readonly lately?: readonly Checkpoint[]
  /** Whether it was seen to be within the limits of what may be under way. */
  readonly placed?: boolean
  /** How often planning it has failed by what may pass. */
  readonly planFailures?: number
  /** How often ending it has failed, when all its tasks were done. */
  readonly endFailures?: number
  /** Which of the frozen cohorts is the job's; absent at levels without one, and before the job runs. */
  readonly cohort?: string
  /** The first patient of each slice but the first; absent: the cohort is one slice. */
  readonly slices?: readonly string[]
  /** The types that are read from their collections instead of through searches; absent: none. */
  readonly scans?: Readonly<Record<ResourceType, ScanPlan>>
  /** How its types are read and why; absent before it runs. */
  readonly readings?: readonly TypesReading[]
  readonly startedAt?: Date
  /** Whether what lost attempts had left on the storage was removed, once it was completed. */
  readonly swept?: boolean
  /** Absent while the job is `accepted` or `running`, and only then. */
  readonly endedAt?: Date
  readonly failure?: JobFailure
}

/** That so many resources more were written, by the clock of the database. */
export interface Checkpoint {
  readonly at: Date
  readonly resources: number
}

/** What a job is made of; where its files go becomes its `folder`. */
export type NewExport = Omit<ExportJob, 'status' | 'fileNumbers' | 'served'> &
  Pick<ExportRequest, 'container'>

/** Provenance that comes with other resources. */
export interface ProvenanceChoice {
  /**
   * `compartment`: all about a resource in a compartment of the cohort, exported or not. `relevant`: all about an
   * exported resource; `latest`: the newest about each.
   */
  readonly which: 'compartment' | AssociatedProvenance
  /** The types of the resources that it may be about. */
  readonly of: readonly ResourceType[]
}

/** How a type is read from its collection. */
export type ScanPlan = {
  /** From where the collection is known, which decides over the access to it too. */
  readonly origin: ScanOrigin
  readonly collection: string
} & (
  | {
      /** All documents are looked at, by ranges of `_id`. */
      readonly by: 'ranges'
      /** The first `_id` of each range but the first, as EJSON. */
      readonly firsts: readonly string[]
    }
  | {
      /** By an index on references to patients of the cohort, so many of them at a time. */
      readonly by: 'patients'
      readonly batch: number
    }
  /** There was nothing to read. */
  | { readonly by: 'nothing' }
)

/** Why a job failed, in words for the client; the log has the cause. */
export interface JobFailure {
  readonly status: number
  readonly issues: readonly Issue[]
}

/** Where a task goes on: everything before it is in the files of the task. */
export interface Position {
  /** Patients of the cohort up to this id are finished, this one is under way; absent without a cohort. */
  readonly patient?: string
  /** How many patients, from this one on, are searched for together; absent: this one alone. */
  readonly together?: number
  /** Index of the compartment path that is under way for this patient. */
  readonly path: number
  /** Index of the filter query that is under way; absent for the first, or when there are no filters. */
  readonly query?: number
  /** `next` of the page that is under way; absent for the first one. */
  readonly page?: string
  /** How many resources of this page are finished, and the id of the last of them. */
  readonly finished: number
  readonly lastId?: string
  /** In a stream, where `finished` counts all that came: what stands for their ids in their order. */
  readonly streamed?: string
  /** What stands for all that was finished, where that can be told only by going through it again. */
  readonly digest?: string
  /** In a scan, the last `_id` that was finished, as EJSON; if it goes by patients, `patient` is the first of the batch. */
  readonly scanned?: string
}

/** The array of the manifest that a file belongs to. */
export type FileKind = 'output' | 'deleted' | 'error'

/** One file of an export, complete on the storage. */
export interface OutputFile {
  readonly kind: FileKind
  readonly name: string
  /** Lines, each a resource. */
  readonly resources: number
  /** Size of the NDJSON. */
  readonly bytes: number
  /** Size on the storage when it is compressed there. */
  readonly gzipBytes?: number
  /** Of the NDJSON, in hexadecimal digits. */
  readonly sha256?: string
}

/** A stretch of ids; absent bounds: no bound. */
export interface IdRange {
  readonly from?: string
  /** Itself not included. */
  readonly below?: string
}

/** What one task exports: the resources of a type, what was deleted, or what was left out of the request. */
export type TaskSubject =
  | {
      readonly kind: 'resources'
      readonly type: ResourceType
      /** Only what is written for these patients of the cohort. */
      readonly patients?: IdRange
      /** Read from the collection of the type, and only these of its `_id`s, as EJSON. */
      readonly scan?: IdRange
    }
  | {
      readonly kind: 'deleted' | 'notes'
      readonly type?: never
      readonly patients?: never
      readonly scan?: never
    }

/** The part of a job that one worker does alone. */
export type ExportTask = TaskSubject & {
  /** `[job id]-[index]`, so that planning twice makes nothing twice. */
  readonly _id: string
  readonly job: string
  readonly status: TaskStatus
  /** Raised by each start; every later write names it, so that a runner which lost its task changes nothing. */
  readonly attempt: number
  /** How often in a row, since the last checkpoint, it has failed or its runner was not heard of again. */
  readonly failures: number
  /** Why it was last tried again; absent: it never was. */
  readonly lastFailure?: FailureReason
  /** The process that took it last, see `workerName`; absent: nobody has. */
  readonly worker?: string
  /** Until when, by the clock of the database, nobody may take it after a failure. */
  readonly notBefore?: Date
  /** Until when, by the clock of the database, the runner of this attempt is taken for alive. */
  readonly leaseUntil?: Date
  readonly position?: Position
  readonly files: readonly OutputFile[]
}

/** A document of a job's cohort: patient ids in ascending order, all above those of the document before. */
export interface CohortPage {
  readonly _id: string
  readonly job: string
  /** Each try to plan a job freezes a cohort of its own; the job names the one that counts. */
  readonly cohort: string
  readonly last: string
  readonly patients: readonly string[]
}

/** A process that works on tasks. */
export interface WorkerProcess {
  readonly _id: string
  /** When it was last heard of, by the clock of the database. */
  readonly aliveAt: Date
  /** See `workerName`. */
  readonly name?: string
}
