import { expect } from 'chai'
import type { ExportJobs, HeldTask } from '../../plugin/jobs/export-jobs.js'
import type { ExportJob, ExportTask, JobStatus, OutputFile, TaskStatus } from '../../plugin/jobs/model.js'
import { FAILURE, file, type JobRecord, newJob, position } from './job-record.js'
import { checkArrows, type Stored } from './task-arrows.js'

/** What is expected of a task. */
interface TaskModel {
  readonly _id: string
  readonly job: string
  status: TaskStatus
  attempt: number
  failures: number
  files: OutputFile[]
  /** The lease of its runner is over. */
  isLost: boolean
  /** It failed, and the pause after that is not over. */
  isPaused: boolean
}

interface JobModel {
  readonly _id: string
  readonly types: readonly string[]
  status: JobStatus
  served: number
  /** The higher the older. */
  readonly age: number
  /** The process that ended it died before it took the tasks away. */
  isHalfEnded: boolean
}

/** Whoever has claimed a task once, and may not know that it is somebody else's now. */
interface Runner {
  readonly task: HeldTask
  /** Connection that it writes by. */
  readonly by: ExportJobs
  /** Written, and not in a checkpoint yet. */
  written: OutputFile[]
}

const HOUR = 3_600_000
const TYPE_LISTS = [['A'], ['A', 'B'], ['A', 'B', 'C']] as const
const ENDED: readonly JobStatus[] = ['completed', 'failed', 'cancelled', 'expired']

/** Steps that may come at any time, in any order; those that let a job go on come more often than its ends. */
export const STEPS = [
  ...(['accept', 'accept', 'plan', 'plan', 'planHalf', 'claim', 'claim', 'claim', 'claim', 'claim'] as const),
  ...(['renew', 'write', 'write', 'commit', 'commit', 'retry', 'endPauses', 'restart'] as const),
  ...(['release', 'release', 'release', 'settle', 'settle'] as const),
  ...(['fail', 'cancel', 'endHalf', 'withdraw', 'expire', 'remove'] as const),
]

/**
 * A few jobs in the database, and beside them what they should be: each step does to both what a process may do at
 * any time, also one that dies in the middle of it, and compares the outcome. The numbers are those of the
 * invariants in ARCHITECTURE.md, "State machines".
 */
export class TaskWorld {
  readonly #jobs = new Map<string, JobModel>()
  readonly #tasks = new Map<string, TaskModel>()
  readonly #runners: Runner[] = []
  /** All that were ever given, as `job/stem-number`. */
  readonly #numbers = new Set<string>()
  #accepted = 0
  #last: Stored = { jobs: [], tasks: [] }

  constructor(
    private readonly record: JobRecord,
    private readonly connections: readonly ExportJobs[],
    private readonly run: string,
  ) {}

  async take(step: (typeof STEPS)[number], which: number, how: number): Promise<void> {
    const before = this.#last
    await this[step](which, how)
    const after = await this.#stored()
    this.#checkModel(after)
    checkArrows(before, after)
    this.#checkInvariants(after)
    await this.#checkClaimable()
    this.#last = after
  }

  async clear(): Promise<void> {
    for (const id of this.#jobs.keys()) await this.record.jobs.remove(id)
  }

  // What processes do. Each gives what it expects of the record, and changes the model when that is done.

  async accept(which: number): Promise<void> {
    if (this.#jobs.size >= 3) return
    this.#accepted += 1
    const id = `${this.run}-${this.#accepted}`
    const types = TYPE_LISTS[which % TYPE_LISTS.length] as readonly string[]
    // The last one is the oldest, so that it shows that age decides and not the order in the database.
    const transactionTime = new Date(Date.UTC(2024, 0, 1) - this.#accepted * HOUR)
    await this.record.jobs.accept({ ...newJob(id, types), transactionTime })
    this.#jobs.set(id, {
      _id: id,
      types,
      status: 'accepted',
      served: 0,
      age: this.#accepted,
      isHalfEnded: false,
    })
  }

  async plan(which: number): Promise<void> {
    const job = this.#job(which)
    if (job === undefined) return
    await this.#any(which).plan(job)
    if (job.status === 'accepted') job.status = 'running'
    if (job.status === 'running') this.#addTasks(job, job.types.length)
    else if (job.status !== 'completed') this.#removeTasks(job)
  }

  /** A planner that dies after so many tasks. */
  async planHalf(which: number, how: number): Promise<void> {
    const job = this.#job(which)
    if (job?.status !== 'accepted') return
    const count = how % (job.types.length + 1)
    await this.record.models.jobs.updateOne({ _id: job._id }, { $set: { status: 'running' } })
    const tasks = job.types.slice(0, count).map((type, index) => ({
      ...{ _id: `${job._id}-${index}`, job: job._id, kind: 'resources', type, status: 'waiting' },
      ...{ attempt: 0, failures: 0, files: [] },
    }))
    if (count > 0)
      await this.record.database.db.collection<{ _id: string }>('bulkexport.tasks').insertMany(tasks)
    job.status = 'running'
    this.#addTasks(job, count)
  }

  /** @param how every third one dies at once, as others see it */
  async claim(which: number, how: number): Promise<void> {
    const dies = how % 3 === 0
    const by = this.#any(which)
    const task = await (dies ? this.record.dying : by).claim()
    const expected = this.#claimable()
    const [next] = [...new Set(expected.map(({ job }) => job))]
      .map((id) => this.#jobs.get(id) as JobModel)
      .sort((a, b) => a.served - b.served || b.age - a.age)
    // 13
    expect(task?.job, 'job of the claimed task').to.equal(next?._id)
    if (task === undefined) return
    const model = this.#tasks.get(task._id) as TaskModel
    expect(expected, 'what may be claimed').to.include(model)
    if (model.status === 'running') model.failures += 1
    model.attempt += 1
    Object.assign(model, { status: 'running', isLost: dies, isPaused: false })
    expect(task).to.include({ attempt: model.attempt, failures: model.failures })
    this.#runners.push({ task, by, written: [] })
  }

  async renew(which: number, how: number): Promise<void> {
    const dies = how % 3 === 0
    await this.#asRunner(which, async ({ task, by }, model) => {
      expect(await (dies ? this.record.dying : by).renew(task), 'renew').to.equal(model !== undefined)
      if (model) model.isLost = dies
    })
  }

  /** Writes a file, which does not count yet. */
  async write(which: number, how: number): Promise<void> {
    await this.#asRunner(which, async (runner) => {
      const { task, by } = runner
      const stem = task.type ?? ''
      const number = await by.nextFileNumber(task, stem)
      expect(number !== undefined, 'a number').to.equal(this.#jobs.get(task.job)?.status === 'running')
      if (number === undefined) return
      const key = `${task.job}/${stem}-${number}`
      expect(this.#numbers.has(key), `${key} was given before`).to.equal(false) // 3
      this.#numbers.add(key)
      runner.written.push(file(`${stem}-${number}.ndjson`, 1 + (how % 5)))
    })
  }

  async commit(which: number, how: number): Promise<void> {
    await this.#asRunner(which, async (runner, model) => {
      const files = runner.written.splice(0)
      expect(await runner.by.commit(runner.task, files, position(how)), 'commit').to.equal(
        model !== undefined,
      )
      const job = this.#jobs.get(runner.task.job)
      if (!model || !job) return
      model.files.push(...files)
      model.failures = 0 // 11
      job.served += files.reduce((sum, { resources }) => sum + resources, 0) // 12
    })
  }

  async retry(which: number, how: number): Promise<void> {
    const isPaused = how % 2 === 0
    await this.#asRunner(which, async ({ task, by }, model) => {
      expect(await by.retry(task, isPaused ? HOUR : -HOUR), 'retry').to.equal(model !== undefined)
      if (model) Object.assign(model, { status: 'waiting', failures: model.failures + 1, isPaused })
    })
  }

  /** The pauses of all tasks are over. */
  async endPauses(): Promise<void> {
    await this.record.models.tasks.updateMany({ notBefore: { $ne: null } }, { notBefore: new Date(0) })
    for (const task of this.#tasks.values()) task.isPaused = false
  }

  async release(which: number, how: number): Promise<void> {
    await this.#asRunner(which, async ({ task, by }, model) => {
      const hasEnded = this.#jobs.get(task.job)?.status !== 'running'
      const status = hasEnded ? 'cancelled' : how % 3 === 0 ? 'waiting' : 'done'
      expect(await by.release(task, status), 'release').to.equal(model !== undefined)
      if (model) model.status = status
    })
  }

  async restart(which: number): Promise<void> {
    await this.#asRunner(which, async ({ task, by }, model) => {
      expect(await by.restart(task), 'restart').to.deep.equal(model?.files)
      if (model) model.files = []
    })
  }

  async settle(which: number): Promise<void> {
    const job = this.#job(which)
    if (job === undefined) return
    const tasks = this.#tasksOf(job)
    const isDone = tasks.length === job.types.length && tasks.every(({ status }) => status === 'done')
    const settles = job.status === 'running' && isDone
    expect(await this.#any(which).settle(job), 'settle').to.equal(settles) // 4
    if (settles) job.status = 'completed'
  }

  async fail(which: number): Promise<void> {
    await this.#end(which, 'failed', ['accepted', 'running'], (jobs, id) => jobs.fail(id, FAILURE))
  }

  async cancel(which: number): Promise<void> {
    const from = ['accepted', 'running', 'completed', 'failed'] as const
    await this.#end(which, 'cancelled', from, async (jobs, id) => {
      return (await jobs.cancel(id)) !== undefined
    })
  }

  /** A process that dies before it has taken the tasks away. */
  async endHalf(which: number, how: number): Promise<void> {
    const job = this.#job(which)
    if (job === undefined || ENDED.includes(job.status)) return
    const status = how % 2 === 0 ? 'failed' : 'cancelled'
    await this.record.models.jobs.updateOne({ _id: job._id }, { $set: { status, endedAt: new Date() } })
    Object.assign(job, { status, isHalfEnded: true })
  }

  async withdraw(which: number): Promise<void> {
    const job = this.#job(which)
    if (job === undefined) return
    expect(await this.#any(which).withdraw(job._id), 'withdraw').to.equal(job.status === 'accepted')
    if (job.status === 'accepted') this.#forget(job)
  }

  async expire(which: number): Promise<void> {
    const over = [...this.#jobs.values()].filter(
      ({ status }) => status === 'completed' || status === 'failed',
    )
    expect(await this.#any(which).expire(-HOUR), 'expire').to.equal(over.length) // 7
    for (const job of over) job.status = 'expired'
  }

  /** What engines remove: jobs that were cancelled or have expired. */
  async remove(which: number): Promise<void> {
    const job = this.#job(which)
    if (job?.status !== 'cancelled' && job?.status !== 'expired') return
    await this.#any(which).remove(job._id)
    this.#forget(job)
  }

  async #end(
    which: number,
    status: 'failed' | 'cancelled',
    from: readonly JobStatus[],
    end: (jobs: ExportJobs, id: string) => Promise<boolean>,
  ): Promise<void> {
    const job = this.#job(which)
    if (job === undefined) return
    const ends = from.includes(job.status)
    expect(await end(this.#any(which), job._id), status).to.equal(ends)
    if (!ends) return
    Object.assign(job, { status, isHalfEnded: false })
    for (const task of this.#tasksOf(job)) {
      if (task.status === 'done' || task.status === 'cancelled') continue
      Object.assign(task, { status: 'cancelled', attempt: task.attempt + 1 })
    }
  }

  /** @param act gets the model of the task as long as it is this runner's, and `undefined` after that (1) */
  async #asRunner(
    which: number,
    act: (runner: Runner, model: TaskModel | undefined) => Promise<void>,
  ): Promise<void> {
    // Mostly one of the last, so that they come to something; the others have long lost their tasks.
    const among = which % 5 === 0 ? this.#runners : this.#runners.slice(-3)
    const runner = among[which % Math.max(1, among.length)]
    if (runner === undefined) return
    const model = this.#tasks.get(runner.task._id)
    const isHeld = model?.status === 'running' && model.attempt === runner.task.attempt
    await act(runner, isHeld ? model : undefined)
  }

  // What is looked at after each step.

  #checkModel({ jobs, tasks }: Stored): void {
    const shown = { jobs: jobs.map(shownJob), tasks: tasks.map(shownTask) }
    const byId = (a: { readonly _id: string }, b: { readonly _id: string }) => (a._id < b._id ? -1 : 1)
    expect(shown).to.deep.equal({
      jobs: [...this.#jobs.values()].map(shownJob).sort(byId),
      tasks: [...this.#tasks.values()].map(shownTask).sort(byId),
    })
  }

  #checkInvariants({ jobs, tasks }: Stored): void {
    for (const job of jobs) {
      const own = tasks.filter((task) => task.job === job._id)
      const names = own.flatMap(({ files }) => files.map(({ name }) => name))
      expect(new Set(names).size, '3: a name for one file').to.equal(names.length)
      for (const name of names) {
        expect(this.#numbers.has(`${job._id}/${name.replace('.ndjson', '')}`), `3: ${name}`).to.equal(true)
      }
      const done = own.filter(({ status }) => status === 'done')
      if (job.status === 'completed') expect(done, '4').to.have.length(job.types.length)
      expect(job.endedAt !== undefined, '7: an end').to.equal(ENDED.includes(job.status))
      const open = own.filter(({ status }) => status === 'waiting' || status === 'running')
      const mayBeOpen = job.status === 'running' || this.#jobs.get(job._id)?.isHalfEnded
      if (!mayBeOpen) expect(open, '10: tasks of a job that does not run').to.deep.equal([])
    }
    const orphans = tasks.filter(({ job }) => !jobs.some(({ _id }) => _id === job))
    expect(orphans, '10: tasks without a job').to.deep.equal([])
  }

  /** 9: by another connection than those that write. */
  async #checkClaimable(): Promise<void> {
    expect(await this.record.jobs.countClaimable(), '9: claimable').to.equal(this.#claimable().length)
  }

  async #stored(): Promise<Stored> {
    const { jobs, tasks } = this.record.models
    return {
      jobs: await jobs.find().sort({ _id: 1 }).lean<ExportJob[]>(),
      tasks: await tasks.find().sort({ _id: 1 }).lean<ExportTask[]>(),
    }
  }

  #claimable(): readonly TaskModel[] {
    return [...this.#tasks.values()].filter(
      ({ status, isLost, isPaused }) =>
        (status === 'waiting' && !isPaused) || (status === 'running' && isLost),
    )
  }

  #any(which: number): ExportJobs {
    return this.connections[which % this.connections.length] as ExportJobs
  }

  #job(which: number): JobModel | undefined {
    return [...this.#jobs.values()][which % Math.max(1, this.#jobs.size)]
  }

  #tasksOf({ _id }: JobModel): readonly TaskModel[] {
    return [...this.#tasks.values()].filter(({ job }) => job === _id)
  }

  #addTasks({ _id: job, types }: JobModel, count: number): void {
    for (let index = 0; index < Math.min(count, types.length); index += 1) {
      const _id = `${job}-${index}`
      if (this.#tasks.has(_id)) continue
      const states = { isLost: false, isPaused: false, attempt: 0, failures: 0 }
      this.#tasks.set(_id, { _id, job, status: 'waiting', files: [], ...states })
    }
  }

  #removeTasks(job: JobModel): void {
    for (const { _id } of this.#tasksOf(job)) this.#tasks.delete(_id)
  }

  #forget(job: JobModel): void {
    this.#removeTasks(job)
    this.#jobs.delete(job._id)
  }
}

const shownJob = ({ _id, status, served }: Pick<ExportJob, '_id' | 'status' | 'served'>) => ({
  ...{ _id, status, served },
})
const shownTask = ({ _id, status, attempt, failures, files }: ComparedTask) => ({
  ...{ _id, status, attempt, failures, files: [...files] },
})
type ComparedTask = Pick<ExportTask, '_id' | 'status' | 'attempt' | 'failures' | 'files'>
