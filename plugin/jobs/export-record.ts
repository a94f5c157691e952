import type { FrozenCohort } from './cohort.js'
import type { ExportJob, JobFailure } from './model.js'
import type { TaskPlan } from './task-plan.js'
import type { TaskRecord } from './task-record.js'

/** What planning has found out. */
export interface PlanFindings {
  readonly frozen?: FrozenCohort | undefined
  readonly scans?: ExportJob['scans']
  readonly readings?: ExportJob['readings']
}

/**
 * The record of all exports. Each method is one state change that names the state it expects; `false` or
 * `undefined` says that the state was another one, so somebody else was first. Times are compared by the
 * clock of the database.
 */
export interface ExportJobs extends TaskRecord {
  /** Stores a new job in state `accepted`. */
  accept(job: Omit<ExportJob, 'status' | 'fileNumbers' | 'served'>): Promise<void>
  /** Removes a job that is still `accepted`. Its planner, if it has one, removes what it has made for it. */
  withdraw(job: string): Promise<boolean>
  job(id: string): Promise<ExportJob | undefined>
  /** The time by the clock of the database. */
  now(): Promise<Date>
  /**
   * `accepted` → `running` with this cohort, with all its tasks; what is there already stays. Removes the
   * cohort when another one became the job's, or the job has ended.
   *
   * @returns how many tasks the job has
   */
  plan(job: Pick<ExportJob, '_id'> & TaskPlan, found?: PlanFindings): Promise<number>
  /** Counts a failure of planning; gives how many there are, none when it is not `accepted` any more. */
  planFailed(job: string): Promise<number | undefined>
  /** Counts a failure to end a job; gives how many there are, none when it is not `running` any more. */
  endFailed(job: string): Promise<number | undefined>
  /** Whether every planned task is done. */
  isDone(job: Pick<ExportJob, '_id'> & TaskPlan): Promise<boolean>
  /** → `completed` when every planned task is done; may be called at any time. */
  settle(job: Pick<ExportJob, '_id'> & TaskPlan): Promise<boolean>
  /** One of these states → `failed`; takes the tasks away from their runners. */
  fail(job: string, failure: JobFailure, from?: readonly ('accepted' | 'running')[]): Promise<boolean>
  /**
   * Any state but `cancelled` and `expired` → `cancelled`; takes the tasks away from their runners.
   *
   * @returns the job as it was
   */
  cancel(job: string): Promise<ExportJob | undefined>
  /**
   * `completed` and `failed` → `expired`, all that ended at least this long ago.
   *
   * @param retention in ms
   * @returns how many there were
   */
  expire(retention: number): Promise<number>
  /** Removes every document of a job, the job itself last. */
  remove(job: string): Promise<void>
  /** Notes that a completed job has nothing on the storage but its files. */
  swept(job: string): Promise<void>
  /** Jobs that a worker still has to do something for, if only to remove them. */
  unsettled(): Promise<readonly ExportJob[]>
  /** The job keeps its place among those that are under way, whichever comes with an earlier time. */
  place(job: string): Promise<void>
  /**
   * How many jobs have not ended.
   *
   * @param only those of this owner or with this fingerprint, and those that come before this job:
   * they have a place, or an earlier transaction time or, with the same, a lower id
   */
  countUnfinished(only?: {
    readonly owner?: string
    readonly fingerprint?: string
    readonly before?: Pick<ExportJob, '_id' | 'transactionTime'>
  }): Promise<number>
}
