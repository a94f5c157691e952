import { ExportError, operationOutcome } from '../errors.js'
import { hasAttachments, withAbsoluteAttachments } from '../fhir/attachment.js'
import { versionOf } from '../fhir/base-url.js'
import { isPatientContent } from '../fhir/binary.js'
import { withElements } from '../fhir/elements.js'
import { issuePointer } from '../fhir/fhir-version.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import type { DeletedSince } from '../search/host-hooks.js'
import type { HostSearch } from '../search/host-search.js'
import type { Caller } from '../search/search-adapter.js'
import { type Cohort, cohortOf } from './cohort.js'
import type { Models } from './collections.js'
import { readDeleted } from './deleted-reader.js'
import type { ExportJob, FileKind, Position, TaskSubject } from './model.js'
import { cutIntoParts, type Part } from './output.js'
import { PageSizes } from './page-size.js'
import { readProvenance } from './provenance-reader.js'
import { LostPosition, type ReadResource } from './reading.js'
import { type ResourceReadOptions, readResources, type Selection } from './resource-reader.js'
import { type ScanDependencies, scanType } from './type-scan.js'

export interface SourceDependencies extends ScanDependencies {
  readonly search: HostSearch
  /** Absent: the host cannot tell what was deleted. */
  readonly deletedSince?: DeletedSince | undefined
  /** Resources asked for at once. */
  readonly pageSize: number
  /** How large a page may be as JSON, by an estimate, unless its service gives no smaller ones. */
  readonly maxPageBytes: number
  /** For how many patients of a cohort, or lists of them, searches run at the same time. */
  readonly searchConcurrency: number
}

/** Where the lines of a task come from and where they go. */
export interface TaskSource {
  /** The array of the manifest that its files belong to. */
  readonly kind: FileKind
  /** What the names of its files begin with. */
  readonly stem: string
  /** Whether going on after a position costs little, so that the task may be interrupted for others. */
  readonly resumesWell: boolean
  /**
   * What there is to write. Each part must be drained before the next one is asked for.
   *
   * @param from a position to go on after, instead of beginning
   * @param isEnough asked now and then whether a part that has something may end early
   */
  parts(from: Position | undefined, signal: AbortSignal, isEnough: () => boolean): AsyncGenerator<Part>
}

/** What a task of a job has to write. */
export function taskSource(
  job: ExportJob,
  subject: TaskSubject,
  dependencies: SourceDependencies,
): TaskSource {
  const { limits } = dependencies
  switch (subject.kind) {
    case 'notes':
      return {
        ...{ kind: 'error', stem: 'error', resumesWell: true },
        parts: (from, _signal, isEnough) => cutIntoParts(readNotes(job, from), limits, whole, isEnough),
      }
    case 'deleted':
      return {
        ...{ kind: 'deleted', stem: 'deleted', resumesWell: false },
        parts: (from, signal, isEnough) =>
          cutIntoParts(deletedOf(job, dependencies, from, signal), limits, whole, isEnough),
      }
    case 'resources':
      return { kind: 'output', stem: subject.type, ...resourceSource(job, subject, dependencies) }
  }
}

const whole = (resource: Resource) => resource

function resourceSource(
  job: ExportJob,
  subject: ResourceSubject,
  dependencies: SourceDependencies,
): Pick<TaskSource, 'resumesWell' | 'parts'> {
  const { type } = subject
  const { limits } = dependencies
  const plan = job.scans?.[type]
  if (plan !== undefined) {
    return {
      resumesWell: true,
      parts: (from, signal, isEnough) =>
        scanType(job, { ...subject, plan }, dependencies, { from, signal, isEnough }),
    }
  }
  return {
    resumesWell: resumesWell(job, type),
    parts(from, signal, isEnough) {
      const resources = resourcesOf(job, subject, dependencies, { signal, ...(from ? { from } : {}) })
      return cutIntoParts(resources, limits, shapeOf(job, type), isEnough)
    },
  }
}

/** Where resources are told apart by what has come, resuming goes through all of it again. */
function resumesWell({ provenance, filters = [], level, patients }: ExportJob, type: ResourceType): boolean {
  if (type === 'Provenance' && provenance !== undefined) return false
  const isByPatient = level === 'group' || patients !== undefined
  return isByPatient || filters.filter((filter) => filter.type === type).length < 2
}

async function* readNotes(
  { notes = [], base }: ExportJob,
  from: Position | undefined,
): AsyncGenerator<ReadResource> {
  for (const [index, note] of notes.entries()) {
    if (index < (from?.finished ?? 0)) continue
    yield {
      resource: { ...operationOutcome([note], issuePointer(versionOf(base))) },
      position: { path: 0, finished: index + 1 },
    }
  }
}

function deletedOf(
  job: ExportJob,
  { cohorts, search, deletedSince }: SourceDependencies,
  from: Position | undefined,
  signal: AbortSignal,
): AsyncGenerator<ReadResource> {
  // What the hook gives has no order to go on in.
  if (from !== undefined) throw new LostPosition()
  const { since, before, transactionTime: until, base, types } = job
  if (deletedSince === undefined || since === undefined) {
    throw new ExportError(
      503,
      'This worker has no hook deletedSince, as the server has that took the export in.',
      {
        code: 'transient',
      },
    )
  }
  const caller = JSON.parse(job.caller) as Caller
  const cohort = cohortFor(job, cohorts)
  return readDeleted(
    { types, base, window: { since, until, ...(before ? { before } : {}) }, ...(cohort ? { cohort } : {}) },
    {
      ...{ deletedSince, search: search.adapter(base, caller) },
      context: { version: versionOf(base), user: caller.user, signal },
    },
  )
}

type ResourceSubject = Extract<TaskSubject, { readonly kind: 'resources' }>

function resourcesOf(
  job: ExportJob,
  { type, patients }: ResourceSubject,
  { cohorts, search, pageSize, maxPageBytes, searchConcurrency }: SourceDependencies,
  position: Pick<ResourceReadOptions, 'signal' | 'from'>,
): AsyncGenerator<ReadResource> {
  const { base, provenance } = job
  const cohort = cohortFor(job, cohorts)
  // Searches that run at the same time share the memory that pages may take.
  const concurrency = typeof cohort === 'object' ? searchConcurrency : 1
  const options = {
    ...{ ...position, concurrency },
    pages: new PageSizes({ resources: pageSize, bytes: maxPageBytes / concurrency }),
    search: search.adapter(base, JSON.parse(job.caller) as Caller),
  }
  const selection = selectionOf(job, type, cohort)
  if (type === 'Provenance' && provenance !== undefined) {
    const { which, of: types } = provenance
    const about = types.map((each) =>
      which === 'compartment' ? wholeOf(job, each, cohort) : selectionOf(job, each, cohort),
    )
    // What comes with a resource comes with it however old it is.
    const chosen =
      which === 'compartment' ? selection : { ...selection, window: { until: job.transactionTime } }
    return readProvenance(chosen, which, about, options)
  }
  return readResources({ ...selection, ...(patients ? { patients } : {}) }, options)
}

function selectionOf(job: ExportJob, type: ResourceType, cohort: Cohort | undefined): Selection {
  const { since, before, transactionTime: until, base, filters = [] } = job
  const queries = filters.filter((filter) => filter.type === type).map(({ query }) => query)
  return {
    ...{ type, base, window: { ...(since ? { since } : {}), ...(before ? { before } : {}), until } },
    ...(cohort ? { cohort } : {}),
    ...(queries.length > 0 ? { queries } : {}),
    ...(type === 'Binary' ? { isExported: (binary: Resource) => !isPatientContent(binary) } : {}),
  }
}

/**
 * All of a type in the compartments of the cohort, whatever else was asked for, and also what was updated since
 * the transaction time: the Provenance about it is older.
 */
function wholeOf({ base }: ExportJob, type: ResourceType, cohort: Cohort | undefined): Selection {
  return { type, base, window: { until: END_OF_TIME }, ...(cohort ? { cohort } : {}) }
}

/** The last moment that a Date can have. */
const END_OF_TIME = new Date(8.64e15)

function shapeOf({ base, elements }: ExportJob, type: ResourceType): (resource: Resource) => Resource {
  const asked = elements?.[type]
  const version = versionOf(base)
  const linked = (resource: Resource) =>
    hasAttachments(type, version) ? withAbsoluteAttachments(resource, base) : resource
  return asked === undefined ? linked : (resource) => withElements(linked(resource), asked, version)
}

function cohortFor(job: ExportJob, cohorts: Models['cohort']): Cohort | undefined {
  if (job.level === 'system') return undefined
  if (job.level === 'patient' && job.patients === undefined) return 'everyone'
  // Without its cohort a group export must stop, not take everyone.
  if (job.cohort === undefined) throw new Error(`Job ${job._id} runs without a cohort.`)
  return cohortOf(cohorts, job.cohort)
}
