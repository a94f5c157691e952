import { createHash } from 'node:crypto'
import type { Db } from 'mongodb'
import type { ExportJob, ExportTask, JobFailure } from '../../plugin/jobs/model.js'

const TYPES = [
  ...['AllergyIntolerance', 'Claim', 'Condition', 'Encounter', 'ExplanationOfBenefit', 'Immunization'],
  ...['MedicationRequest', 'Patient', 'Procedure', 'Observation'],
]
/** Ranges of a large type. */
const RANGES = 5
const OWNERS = [
  JSON.stringify(['https://login.example.org', 'research-warehouse', null]),
  JSON.stringify(['https://login.example.org', 'quality-dashboard', 'dr.okafor']),
  'nightly-backup',
]
const MINUTE = 60_000

/**
 * Puts documents of exports into a database as they are after a while on a busy server: the newest two run, the third
 * waits, and of the others each seventh has failed.
 *
 * @param now when they are looked at
 */
export async function manyExports(db: Db, count: number, now: Date): Promise<readonly string[]> {
  const exports = Array.from({ length: count }, (_, index) => oldExport(index, now))
  await db.collection<ExportJob>('bulkexport.jobs').insertMany(exports.map(({ job }) => job))
  const tasks = exports.flatMap((each) => each.tasks)
  if (tasks.length > 0) await db.collection<ExportTask>('bulkexport.tasks').insertMany(tasks)
  await db
    .collection<{ _id: string }>('bulkexport.workers')
    .insertMany(['worker-1:17', 'worker-2:17'].map((name) => ({ _id: name, name, aliveAt: now })))
  return exports.map(({ job }) => job._id)
}

function oldExport(
  index: number,
  now: Date,
): { readonly job: ExportJob; readonly tasks: readonly ExportTask[] } {
  const id = createHash('sha256').update(`export ${index}`).digest('hex').slice(0, 32)
  const at = (ms: number) => new Date(now.getTime() - ms)
  const begun = (index === 2 ? 0 : index + 1) * 7 * MINUTE
  const isGroup = index % 3 === 1
  const status = statusOf(index)
  const job: ExportJob = {
    ...{ _id: id, status, level: isGroup ? 'group' : 'system' },
    ...(isGroup ? { groupId: 'diabetes-registry' } : {}),
    types: TYPES,
    transactionTime: at(begun + 1000),
    requestUrl: 'https://fhir.example.org/4_0_0/$export',
    base: 'https://fhir.example.org/4_0_0',
    owner: OWNERS[index % OWNERS.length] as string,
    ...{ caller: '{}', fileNumbers: {}, served: 0 },
    ...(status === 'accepted' ? {} : { startedAt: at(begun) }),
    ...(status === 'running'
      ? {
          lately: [50, 40, 30, 20, 10].map((s) => ({
            at: at(s * 1000),
            resources: 100_000 - index * 41_000,
          })),
        }
      : {}),
    ...(status === 'completed' ? { swept: true, endedAt: at(begun - 3 * MINUTE - index * 1000) } : {}),
    ...(status === 'failed' ? { endedAt: at(begun - MINUTE), failure: FAILURE } : {}),
  }
  return { job, tasks: status === 'accepted' ? [] : tasksOf(job, index) }
}

const FAILURE: JobFailure = {
  status: 500,
  issues: [
    {
      ...{ severity: 'error', code: 'exception' },
      diagnostics:
        'The export failed while it read or wrote Observation. A search of this server took too long.',
    },
  ],
}

function statusOf(index: number): ExportJob['status'] {
  if (index < 2) return 'running'
  if (index === 2) return 'accepted'
  return index % 7 === 0 ? 'failed' : 'completed'
}

function tasksOf({ _id, status }: ExportJob, index: number): readonly ExportTask[] {
  const parts = TYPES.flatMap((type) =>
    Array.from({ length: type === 'Observation' ? RANGES : 1 }, () => type),
  )
  return parts.map((type, position) => {
    const state = stateOf(status, position, parts.length)
    const resources = (type === 'Observation' ? 180_000 : 4000 + 731 * position) >> (index % 4)
    const count = state === 'running' ? resources >> 1 : resources
    // So that no worker takes them.
    const later = new Date(Date.now() + 60 * MINUTE)
    const file = {
      kind: 'output' as const,
      name: `${type}-${position + 1}.ndjson`,
      resources: count,
      bytes: 812 * count,
    }
    return {
      ...{ _id: `${_id}-${position}`, job: _id, kind: 'resources', type, status: state, attempt: 1 },
      ...(index === 1 && state === 'running' ? { failures: 2, lastFailure: 'timeout' } : { failures: 0 }),
      ...(index === 1 && state === 'waiting'
        ? { failures: 3, lastFailure: 'service', notBefore: later }
        : {}),
      ...(state === 'waiting' ? {} : { worker: `worker-${1 + (position % 2)}:17` }),
      ...(state === 'running' ? { leaseUntil: later } : {}),
      files: state === 'waiting' || status === 'failed' ? [] : [file],
    } satisfies ExportTask
  })
}

/** Of an export that runs, two tasks are under way and the last one waits. */
function stateOf(status: ExportJob['status'], position: number, all: number): ExportTask['status'] {
  if (status === 'failed') return 'cancelled'
  if (status !== 'running' || position < all - 3) return 'done'
  return position < all - 1 ? 'running' : 'waiting'
}
