import { ExportError } from '../errors.js'
import { hasAttachments, withAbsoluteAttachments } from '../fhir/attachment.js'
import { versionOf } from '../fhir/base-url.js'
import { isPatientContent } from '../fhir/binary.js'
import type { ResourceType } from '../fhir/resource.js'
import type { Inspection, ScanLines } from '../search/scan-lines.js'
import type { PatientSet } from '../search/scan-patients.js'
import type { Scans } from '../search/scans.js'
import { cohortOf } from './cohort.js'
import type { CohortMembers } from './cohort-members.js'
import type { Models } from './collections.js'
import type { ExportJob, Position, ScanPlan, TaskSubject } from './model.js'
import type { FileLimits, Part } from './output.js'
import { scanIntoParts } from './scan-parts.js'
import { findScan } from './scan-plan.js'

export interface ScanDependencies {
  readonly cohorts: Models['cohort']
  readonly members: CohortMembers
  /** Collections that may be read past the services; absent: none. */
  readonly scans?: Scans | undefined
  readonly limits: FileLimits
}

/** The subject of a task that reads a collection, and the plan of its job for it. */
export type ScanSubject = Extract<TaskSubject, { readonly kind: 'resources' }> & { readonly plan: ScanPlan }

/** How far a task has come and when it should stop, as for `TaskSource.parts`. */
export interface ScanProgress {
  readonly from: Position | undefined
  readonly signal: AbortSignal
  isEnough(): boolean
}

/**
 * The parts of a task that reads the collection of a type.
 *
 * @throws ExportError 503 when this process does not know the collection that the job was planned with
 */
export async function* scanType(
  job: ExportJob,
  subject: ScanSubject,
  dependencies: ScanDependencies,
  { from, signal, isEnough }: ScanProgress,
): AsyncGenerator<Part> {
  const lines = await linesOf(job, subject, dependencies, { from, signal })
  yield* scanIntoParts(subject.type, lines, dependencies.limits, isEnough, signal)
}

async function linesOf(
  job: ExportJob,
  { type, plan, scan = {}, patients }: ScanSubject,
  { cohorts, members, scans }: ScanDependencies,
  { from, signal }: Pick<ScanProgress, 'from' | 'signal'>,
): Promise<ScanLines> {
  if (scans === undefined) throw otherwisePlanned(type)
  const { collection, ...scanned } = await findScan(job, { type, origin: plan.origin }, scans, signal)
  if (collection !== plan.collection || scanned.obstacle !== undefined) throw otherwisePlanned(type)
  const { since, before, transactionTime: until, elements, base } = job
  const asked = elements?.[type]
  const request = {
    ...{
      after: from?.scanned,
      elements: asked && { asked, version: versionOf(base) },
      inspection: inspectionOf(type, job),
    },
    window: { ...(since ? { since } : {}), ...(before ? { before } : {}), until },
  }
  if (job.level === 'system') return scanned.read(scan, request)
  const membership = { base, members: await membersOf(job, members) }
  if (plan.by !== 'patients') return scanned.read(scan, { ...request, membership })
  if (job.cohort === undefined) throw withoutCohort(job)
  const resumed = from?.patient === undefined ? {} : { from: from.patient }
  const read = cohortOf(cohorts, job.cohort).patients({ ...patients, ...resumed })
  return scanned.readPatients(batchesOf(read, plan.batch), { ...request, membership })
}

/** Without its cohort a group export must stop, not take everyone. */
async function membersOf(job: ExportJob, members: CohortMembers): Promise<PatientSet | 'everyone'> {
  if (job.level === 'patient' && job.patients === undefined) return 'everyone'
  if (job.cohort === undefined) throw withoutCohort(job)
  return members.of(job.cohort)
}

function withoutCohort({ _id }: ExportJob): Error {
  return new Error(`Job ${_id} runs without a cohort.`)
}

/** From the same patient on they are always the same: batches are as large as the job says. */
async function* batchesOf(patients: AsyncIterable<string>, size: number): AsyncGenerator<readonly string[]> {
  let batch: string[] = []
  for await (const patient of patients) {
    batch.push(patient)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function inspectionOf(type: ResourceType, { base }: ExportJob): Inspection | undefined {
  if (type === 'Binary') {
    return {
      element: 'securityContext',
      inspect: (binary) => (isPatientContent(binary) ? undefined : binary),
    }
  }
  if (!hasAttachments(type, versionOf(base))) return undefined
  return { element: 'url', inspect: (resource) => withAbsoluteAttachments(resource, base) }
}

/** What passes when all processes are of the same version and have the same options. */
function otherwisePlanned(type: ResourceType): ExportError {
  const text = `This worker finds ${type} in another collection than the process has that planned the export.`
  return new ExportError(503, text, { code: 'transient' })
}
