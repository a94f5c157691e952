import type { HeldTask } from './export-jobs.js'
import type { ExportJob, OutputFile } from './model.js'

/** What a task exports, in a word, such as `Patient` or `deleted`. */
export function subjectOf({ kind, type }: Pick<HeldTask, 'kind' | 'type'>): string {
  return type ?? kind
}

/** The fields by which each event of a task names it. */
export function aboutTask(task: HeldTask) {
  return { job: task.job, task: task._id, attempt: task.attempt, exports: subjectOf(task) }
}

/** How many files there are, and what is in those of the output. */
export interface Totals {
  readonly files: number
  readonly resources: number
  readonly bytes: number
}

export function totalOf(files: readonly OutputFile[]): Totals {
  const output = files.filter(({ kind }) => kind === 'output')
  return {
    files: files.length,
    resources: output.reduce((sum, { resources }) => sum + resources, 0),
    bytes: output.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** In ms; the clocks are those of two processes. */
export function sinceKickOff({ transactionTime }: Pick<ExportJob, 'transactionTime'>): number {
  return Math.max(0, Date.now() - transactionTime.getTime())
}
