import type { ResourceType } from '../fhir/resource.js'
import type { ExportJob, ExportTask, FileKind, OutputFile } from './model.js'

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
  /** With the option `hashFiles`. */
  readonly extension?: FileExtension
}

/** By which a client can tell that a file has come whole. */
export interface FileExtension {
  /** SHA-256 of the NDJSON, in hexadecimal digits. */
  readonly sha256: string
  /** Size of the NDJSON. */
  readonly bytes: number
}

/**
 * Derived from the files of the tasks, never stored beside them. Patients come first, then the types in
 * alphabetical order, each with its files by number.
 */
export function manifestOf(
  job: ExportJob,
  tasks: readonly ExportTask[],
  requiresAccessToken: boolean,
  urlOf: (file: OutputFile) => string,
): Manifest {
  const filesOf = (kind: FileKind) =>
    tasks
      .flatMap((task) => task.files.map((file) => ({ ...file, type: typeOf(task, file) })))
      .filter((file) => file.kind === kind)
      .sort((a, b) => byType(a, b) || numberOf(a.name) - numberOf(b.name))
      .map(({ type, ...file }) => {
        const { resources: count, sha256, bytes } = file
        return { type, url: urlOf(file), count, ...(sha256 ? { extension: { sha256, bytes } } : {}) }
      })
  return {
    transactionTime: job.transactionTime.toISOString(),
    request: job.requestUrl,
    requiresAccessToken,
    output: filesOf('output'),
    deleted: filesOf('deleted'),
    error: filesOf('error'),
  }
}

/** How far a job is, in words for a person; begins with a number that clients parse; under 100 characters. */
export function progressOf(tasks: readonly ExportTask[]): string {
  const ofTypes = tasks.filter(({ kind }) => kind === 'resources')
  const isDone = ({ status }: ExportTask) => status === 'done'
  const types = new Set(ofTypes.map(({ type }) => type))
  const unfinished = new Set(ofTypes.filter((task) => !isDone(task)).map(({ type }) => type))
  const resources = ofTypes
    .flatMap(({ files }) => files)
    .reduce((sum, file) => sum + (file.kind === 'output' ? file.resources : 0), 0)
  const percent = tasks.length === 0 ? 0 : Math.floor((100 * tasks.filter(isDone).length) / tasks.length)
  return `${percent}% complete: ${types.size - unfinished.size} of ${types.size} types, ${resources} resources so far`
}

/** The type of the lines of a file. */
function typeOf({ type }: ExportTask, { kind }: OutputFile): ResourceType {
  if (kind === 'error') return 'OperationOutcome'
  return kind === 'deleted' || type === undefined ? 'Bundle' : type
}

function byType(a: { readonly type: ResourceType }, b: { readonly type: ResourceType }): number {
  if ((a.type === 'Patient') !== (b.type === 'Patient')) return a.type === 'Patient' ? -1 : 1
  return a.type < b.type ? -1 : Number(a.type > b.type)
}

function numberOf(name: string): number {
  return Number(/-(\d+)\.ndjson$/.exec(name)?.[1])
}
