import type { ResourceType } from '../fhir/resource.js'
import type { ExportJob, IdRange, TaskSubject } from './model.js'

/** What of a job decides over its tasks. */
export type TaskPlan = Pick<ExportJob, 'types' | 'notes' | 'listsDeleted' | 'slices' | 'scans' | 'provenance'>

/**
 * The tasks of a job, in the order of their indexes: for each type one for each slice of the cohort or range of its scan
 * (none when there is nothing to scan), one for what was deleted and one for what was left out, if there is any of it. The same job always has the same.
 */
export function taskSubjects(plan: TaskPlan): readonly TaskSubject[] {
  const { types, notes = [], listsDeleted } = plan
  return [
    ...types.flatMap((type) => tasksOf(type, plan)),
    ...(listsDeleted ? [{ kind: 'deleted' as const }] : []),
    ...(notes.length > 0 ? [{ kind: 'notes' as const }] : []),
  ]
}

function tasksOf(type: ResourceType, plan: TaskPlan): readonly TaskSubject[] {
  const resources = { kind: 'resources' as const, type }
  const scanned = plan.scans?.[type]
  if (scanned?.by === 'nothing') return []
  if (scanned?.by === 'ranges') return rangesFrom(scanned.firsts).map((scan) => ({ ...resources, scan }))
  const slices = isSliced(type, plan) ? (plan.slices ?? []) : []
  if (slices.length === 0) return [resources]
  return rangesFrom(slices).map((patients) => ({ ...resources, patients }))
}

/** The same Provenance may come with resources of several slices, and is told apart only within one task. */
function isSliced(type: ResourceType, { provenance }: TaskPlan): boolean {
  return type !== 'Provenance' || provenance === undefined
}

/** @param firsts of all ranges but the first */
function rangesFrom(firsts: readonly string[]): readonly IdRange[] {
  return [undefined, ...firsts].map((from, index) => {
    const below = firsts[index]
    return { ...(from === undefined ? {} : { from }), ...(below === undefined ? {} : { below }) }
  })
}
