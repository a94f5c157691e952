import { expect } from 'chai'
import type { ExportJob, ExportTask } from '../../plugin/jobs/model.js'

/** All documents of jobs and tasks at one moment. */
export interface Stored {
  readonly jobs: readonly ExportJob[]
  readonly tasks: readonly ExportTask[]
}

const JOB_ARROWS = [
  ...['accepted → running', 'accepted → failed', 'running → failed', 'running → completed'],
  ...['accepted → cancelled', 'running → cancelled', 'completed → cancelled', 'failed → cancelled'],
  ...['completed → expired', 'failed → expired'],
]
const TASK_ARROWS = [
  ...['waiting → running', 'running → waiting', 'running → done'],
  ...['waiting → cancelled', 'running → cancelled'],
]

/**
 * Demands that between two moments only the arrows of the state machines were walked, and that counters went as
 * they may. The numbers are those of the invariants in ARCHITECTURE.md, "State machines".
 */
export function checkArrows(before: Stored, after: Stored): void {
  for (const [old, job] of pairs(before.jobs, after.jobs)) {
    if (old.status !== job.status) expect(JOB_ARROWS).to.include(`${old.status} → ${job.status}`)
    expect(job.transactionTime, '6').to.deep.equal(old.transactionTime)
    expect(job.served, '12: served').to.be.at.least(old.served)
  }
  for (const [old, task] of pairs(before.tasks, after.tasks)) {
    if (old.status !== task.status) expect(TASK_ARROWS).to.include(`${old.status} → ${task.status}`)
    expect(task.attempt - old.attempt, '1: attempt').to.be.within(0, 1)
    if (task.failures > 0) expect(task.failures - old.failures, '11: failures').to.be.within(0, 1)
  }
}

function pairs<T extends { readonly _id: string }>(before: readonly T[], after: readonly T[]) {
  return after.flatMap((now) => {
    const old = before.find(({ _id }) => _id === now._id)
    return old === undefined ? [] : [[old, now] as const]
  })
}
