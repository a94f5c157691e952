import type { ExportView, PartialProgress } from '../jobs/export-view.js'
import { KEPT_CHECKPOINTS } from '../jobs/task-record.js'

/** What the parts of an export come to. */
export interface Totals {
  readonly tasks: number
  readonly doneTasks: number
  readonly resources: number
  readonly bytes: number
  readonly files: number
  readonly problems: number
  readonly failing: number
}

export function totalsOf(progress: readonly PartialProgress[]): Totals {
  const sum = (figure: (part: PartialProgress) => number) =>
    progress.reduce((total, part) => total + figure(part), 0)
  return {
    tasks: sum(countTasks),
    doneTasks: sum(({ tasks }) => tasks.done),
    resources: sum(({ resources }) => resources),
    bytes: sum(({ bytes }) => bytes),
    files: sum(({ files }) => files),
    problems: sum(({ problems }) => problems),
    failing: sum(({ failing }) => failing),
  }
}

export function countTasks({ tasks }: Pick<PartialProgress, 'tasks'>): number {
  return tasks.waiting + tasks.running + tasks.done + tasks.cancelled
}

/** A task that is not done counts for so much at most. */
const MOST_OF_A_TASK = 0.9

/**
 * How much is done, from 0 to 1, by tasks. One that is under way counts by its resources where tasks of the same type
 * that are done tell how many to expect, and otherwise for nothing.
 */
export function doneFraction(progress: readonly PartialProgress[]): number {
  const all = totalsOf(progress).tasks
  if (all === 0) return 0
  const done = progress.reduce((sum, part) => {
    const { tasks, unfinishedResources } = part
    const unfinished = countTasks(part) - tasks.done
    const expected = resourcesOfTask(part)
    const underWay = expected ? Math.min(unfinished * MOST_OF_A_TASK, unfinishedResources / expected) : 0
    return sum + tasks.done + underWay
  }, 0)
  return Math.min(1, done / all)
}

/** What one more task of a type is likely to have; `undefined` while none is done. */
function resourcesOfTask({ tasks, resources, unfinishedResources }: PartialProgress): number | undefined {
  return tasks.done === 0 ? undefined : (resources - unfinishedResources) / tasks.done
}

/** The time over which speed is told, in ms; longer where checkpoints are rare. */
const LATELY = 60_000

/**
 * Resources a second over the last while, by checkpoints.
 *
 * @returns `undefined` for an export that is not running, or has no checkpoint yet
 */
export function speedOf(
  { status, lately = [], startedAt }: Pick<ExportView, 'status' | 'lately' | 'startedAt'>,
  now: Date,
): number | undefined {
  if (status !== 'running' || lately.length === 0) return undefined
  const isWhole = lately.length < KEPT_CHECKPOINTS && startedAt !== undefined
  const marks = [...(isWhole ? [{ at: startedAt, resources: 0 }] : []), ...lately]
  // At least one checkpoint has to come after the mark that the time is taken from.
  const candidates = marks.slice(0, -1)
  const isLongAgo = ({ at }: { readonly at: Date }) => now.getTime() - at.getTime() >= LATELY
  const from = Math.max(0, candidates.findLastIndex(isLongAgo))
  const mark = candidates[from]
  if (mark === undefined) return undefined
  const resources = marks.slice(from + 1).reduce((sum, each) => sum + each.resources, 0)
  const seconds = (now.getTime() - mark.at.getTime()) / 1000
  return seconds > 0 ? resources / seconds : undefined
}

/**
 * Seconds until an export is likely to be complete. What a type still has is known by its tasks that are done; so it
 * cannot be told while a type has none.
 *
 * @returns `undefined` when it cannot be told
 */
export function secondsLeft(
  progress: readonly PartialProgress[],
  speed: number | undefined,
): number | undefined {
  const unfinished = progress.filter(
    (part) => part.kind === 'resources' && part.tasks.done < countTasks(part),
  )
  const isOver = totalsOf(progress).tasks === 0 || !speed
  if (isOver || speed === undefined) return undefined
  let resources = 0
  for (const part of unfinished) {
    const expected = resourcesOfTask(part)
    if (expected === undefined) return undefined
    resources += Math.max(0, expected * (countTasks(part) - part.tasks.done) - part.unfinishedResources)
  }
  return resources / speed
}
