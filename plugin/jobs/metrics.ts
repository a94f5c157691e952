import type { FailureReason } from './failure-reason.js'
import type { OutputFile } from './model.js'

/** Changes of jobs that are counted, each by the process that made it. */
export const JOB_CHANGES = ['accepted', 'completed', 'failed', 'cancelled', 'expired'] as const

export type JobChange = (typeof JOB_CHANGES)[number]

/**
 * How a run of a task ended: `lost` means that another attempt, a cancel or a failure elsewhere took the task away;
 * `retried`, that it failed and may be taken again later; `handed-back`, that the worker stops; `interrupted`, that
 * others wait.
 */
export const TASK_ENDS = ['done', 'failed', 'retried', 'handed-back', 'interrupted', 'lost'] as const

export type TaskEnd = (typeof TASK_ENDS)[number]

/** What an engine can be asked at any time. */
export interface EngineGauges {
  /** Tells databases apart: engines on the same one would give the same figures for it. */
  readonly database: string
  /** Tasks that this engine runs now. */
  runningTasks(): number
  /** Tasks of all processes that a worker could take now. */
  waitingTasks(): Promise<number>
  /** Jobs of all processes that have not ended. */
  runningJobs(): Promise<number>
}

/** What an engine tells for its figures. Nothing of it ever throws. */
export interface Metrics {
  /** @param count default 1 */
  jobsChanged(change: JobChange, count?: number): void
  taskEnded(end: TaskEnd): void
  /** An attempt of a task, or a try to plan a job, has failed, whether it is tried again or not. */
  failed(reason: FailureReason): void
  /**
   * Files count from now on.
   *
   * @param exports what the task exports: a resource type, `deleted` or `notes`
   */
  committed(exports: string, files: readonly OutputFile[]): void
  /** Takes an engine among those that are asked, until the function it gives is called. */
  watch(engine: EngineGauges): () => void
}

/** Counts nothing. */
export const NO_METRICS: Metrics = {
  jobsChanged() {},
  taskEnded() {},
  failed() {},
  committed() {},
  watch: () => () => undefined,
}
