import type { Issue } from '../errors.js'
import type { ExportJob, ExportTask, FileKind, JobStatus, TaskStatus, TaskSubject } from './model.js'

/** How far an export is with a type, with what was deleted, or with the notes. */
export interface PartialProgress {
  readonly kind: TaskSubject['kind']
  readonly type?: string
  /** How many tasks there are in each state. */
  readonly tasks: Readonly<Record<TaskStatus, number>>
  /** In output files that count, those of tasks that are not done among them. */
  readonly resources: number
  /** The same of tasks that are not done. */
  readonly unfinishedResources: number
  /** NDJSON in output files. */
  readonly bytes: number
  readonly files: number
  /** Lines in `error` files. */
  readonly problems: number
  /** Tasks that have failed since their last checkpoint and are tried again. */
  readonly failing: number
  /** Why tasks were tried again at some time. */
  readonly failureReasons: readonly string[]
  /** The processes that have its running tasks. */
  readonly workers: readonly string[]
}

type Shown = Pick<
  ExportJob,
  | 'status'
  | 'owner'
  | 'level'
  | 'groupId'
  | 'types'
  | 'transactionTime'
  | 'startedAt'
  | 'endedAt'
  | 'planFailures'
  | 'failure'
  | 'lately'
>

/** An export for a list. */
export interface ExportView extends Shown {
  readonly _id: string
  /** Sorted by type; empty before it runs. */
  readonly progress: readonly PartialProgress[]
}

/** Exports in the order of their kick-off, the newest first. */
export interface ExportList {
  /** The time by the clock of the database. */
  readonly now: Date
  readonly exports: readonly ExportView[]
  /** Whether there are older ones. */
  readonly hasMore: boolean
  /** How many there are in each state, listed here or not. */
  readonly counts: ReadonlyMap<JobStatus, number>
}

/** Which exports are listed. */
export interface ListQuery {
  /** Default: all. */
  readonly status?: JobStatus
  /** Only those after this one in the order of the list. */
  readonly after?: Pick<ExportJob, '_id' | 'transactionTime'>
  readonly limit: number
}

/** A task as people see it. */
export interface TaskView
  extends Pick<
    ExportTask,
    '_id' | 'status' | 'attempt' | 'failures' | 'lastFailure' | 'worker' | 'notBefore'
  > {
  readonly kind: TaskSubject['kind']
  readonly type?: string
  /** Whether it runs, but its worker was not heard of for the time of its lease: another one will take it. */
  readonly isAbandoned: boolean
  readonly resources: number
}

/** A file as people see it. */
export interface FileView {
  readonly kind: FileKind
  readonly name: string
  readonly resources: number
  readonly bytes: number
  readonly gzipBytes?: number
}

/** How types are read and why. */
export interface ReadingView {
  readonly way: string
  readonly reason: string
  readonly types: readonly string[]
}

/** All about one export that may be shown: neither resources nor values that could say whom it is about. */
export interface ExportDetails extends ExportView {
  readonly now: Date
  readonly base: string
  readonly since?: Date
  readonly before?: Date
  /** The filters, less the values of their parameters. */
  readonly filters: readonly { readonly type: string; readonly parameters: readonly string[] }[]
  readonly elements?: Readonly<Record<string, readonly string[]>>
  /** How many patients were asked for by name; absent: it was not narrowed to any. */
  readonly patients?: number
  readonly notes: readonly Issue[]
  /** Absent: it is not known. */
  readonly readings?: readonly ReadingView[]
  /** Those that run or fail come first; not all when there are very many. */
  readonly tasks: readonly TaskView[]
  readonly files: readonly FileView[]
}
