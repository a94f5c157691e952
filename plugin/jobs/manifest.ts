import type { ExportJob, ExportTask, OutputFile } from './model.js'

/** The answer to a status request once the export is complete (Bulk Data 3.0.0, "Response - Complete Status"). */
export interface Manifest {
  readonly transactionTime: string
  readonly request: string
  readonly requiresAccessToken: boolean
  readonly output: readonly ManifestFile[]
  readonly deleted: readonly ManifestFile[]
  readonly error: readonly ManifestFile[]
}

export interface ManifestFile {
  readonly type: string
  readonly url: string
  readonly count: number
}

/**
 * Derived from the files of the tasks, never stored beside them. Patients come first, then the types in
 * alphabetical order, each with its files by number.
 */
export function manifestOf(
  job: ExportJob,
  tasks: readonly ExportTask[],
  requiresAccessToken: boolean,
  urlOf: (name: string) => string,
): Manifest {
  const output = [...tasks]
    .sort(byType)
    .flatMap(({ type, files }) =>
      [...files].sort(byNumber).map(({ name, resources }) => ({ type, url: urlOf(name), count: resources })),
    )
  return {
    transactionTime: job.transactionTime.toISOString(),
    request: job.requestUrl,
    requiresAccessToken,
    output,
    deleted: [],
    error: [],
  }
}

/** How far a job is, in words for a person; begins with a number that clients parse; under 100 characters. */
export function progressOf(tasks: readonly ExportTask[]): string {
  const done = tasks.filter(({ status }) => status === 'done').length
  const resources = tasks.flatMap(({ files }) => files).reduce((sum, file) => sum + file.resources, 0)
  const percent = tasks.length === 0 ? 0 : Math.floor((100 * done) / tasks.length)
  return `${percent}% complete: ${done} of ${tasks.length} types, ${resources} resources so far`
}

function byType(a: ExportTask, b: ExportTask): number {
  if ((a.type === 'Patient') !== (b.type === 'Patient')) return a.type === 'Patient' ? -1 : 1
  return a.type < b.type ? -1 : Number(a.type > b.type)
}

function byNumber(a: OutputFile, b: OutputFile): number {
  return numberOf(a.name) - numberOf(b.name)
}

function numberOf(name: string): number {
  return Number(/-(\d+)\.ndjson$/.exec(name)?.[1])
}
