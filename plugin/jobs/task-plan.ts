import type { ExportJob, TaskSubject } from './model.js'

/** What of a job decides over its tasks. */
export type TaskPlan = Pick<ExportJob, 'types' | 'notes' | 'listsDeleted'>

/**
 * The tasks of a job, in the order of their indexes: one for each type, one for what was deleted and one for what
 * was left out, if there is any of it. The same job always has the same.
 */
export function taskSubjects({ types, notes = [], listsDeleted }: TaskPlan): readonly TaskSubject[] {
  return [
    ...types.map((type) => ({ kind: 'resources' as const, type })),
    ...(listsDeleted ? [{ kind: 'deleted' as const }] : []),
    ...(notes.length > 0 ? [{ kind: 'notes' as const }] : []),
  ]
}
