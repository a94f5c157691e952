import { ExportError } from '../errors.js'
import type { ResourceType } from '../fhir/resource.js'
import type { PatientSet } from '../search/scan-patients.js'
import type { Scans } from '../search/scans.js'
import { cohortOf } from './cohort.js'
import type { CohortMembers } from './cohort-members.js'
import type { Models } from './collections.js'
import type { ExportJob, Position, ScanPlan, TaskSubject } from './model.js'
import type { FileLimits, Part } from './output.js'
import type { ScanOrder, ScanRunner } from './scan-order.js'
import { findScan } from './scan-plan.js'

export interface ScanDependencies {
  readonly cohorts: Models['cohort']
  readonly members: CohortMembers
  /** Collections that may be read past the services; absent: none. */
  readonly scans?: Scans | undefined
  readonly scanRunner?: ScanRunner | undefined
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
  const { cohorts, scans, scanRunner } = dependencies
  const { type, plan, patients } = subject
  if (scans === undefined || scanRunner === undefined) throw otherwisePlanned(type)
  const scanned = await findScan(job, { type, origin: plan.origin }, scans, signal)
  if (scanned.collection !== plan.collection || scanned.obstacle !== undefined) throw otherwisePlanned(type)
  const order = { ...(await orderOf(job, subject, dependencies, from)), filter: scanned.filter }
  const control = { signal, isEnough }
  if (plan.by !== 'patients') {
    yield* scanRunner.parts({ ...order, range: subject.scan ?? {} }, undefined, control)
    return
  }
  if (job.cohort === undefined) throw withoutCohort(job)
  const resumed = from?.patient === undefined ? {} : { from: from.patient }
  const read = cohortOf(cohorts, job.cohort).patients({ ...patients, ...resumed })
  yield* scanRunner.parts(order, batchesOf(read, plan.batch), control)
}

async function orderOf(
  job: ExportJob,
  { type, plan }: ScanSubject,
  { members, limits }: ScanDependencies,
  from: Position | undefined,
): Promise<Omit<ScanOrder, 'filter'>> {
  const { since, before, transactionTime: until, elements, base, level } = job
  return {
    ...{ type, base, collection: plan.collection, after: from?.scanned, limits },
    ...{ window: { ...(since ? { since } : {}), ...(before ? { before } : {}), until } },
    elements: elements?.[type],
    ...(level === 'system' ? {} : { members: await membersOf(job, members) }),
  }
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

/** What passes when all processes are of the same version and have the same options. */
function otherwisePlanned(type: ResourceType): ExportError {
  const text = `This worker finds ${type} in another collection than the process has that planned the export.`
  return new ExportError(503, text, { code: 'transient' })
}
