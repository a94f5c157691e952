import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import type { Manifest } from '../../plugin/index.js'
import type { Level } from '../client/bulk-client.js'
import type { Dice } from '../population/dice.js'
import type { Expectation } from './expectation.js'
import type { Findings } from './findings.js'
import { folderOfJob } from './storage-folder.js'
import type { StubbornClient } from './stubborn-client.js'
import { verifyExport } from './verification.js'

export interface ExportsOptions {
  readonly client: StubbornClient
  readonly expectation: Expectation
  readonly db: Db
  /** The folder of all output files. */
  readonly storage: string
  readonly findings: Findings
  readonly dice: Dice
  say(text: string): void
}

/** How often an export is asked for, in ms. */
const POLL_EVERY = 400
/** An export that says the same for so long is stuck, in ms. */
const STUCK_AFTER = 180_000
/** Of all exports, how many are deleted on the way, in percent, and after how long at the most, in ms. */
const CANCELLED = 20
const LONGEST_BEFORE_CANCEL = 5000
/** How long to wait after a finding, so that what fails at once does not fail a thousand times, in ms. */
const BREATHER = 1000

/** Kicks exports off, follows each to its end, and holds it against what it must have. */
export class Exports {
  readonly figures = { kickedOff: 0, completed: 0, cancelled: 0, unanswered: 0, files: 0, resources: 0 }
  /** The ids of jobs that are left where they are, since there is something wrong with them. */
  readonly kept = new Set<string>()
  readonly #known = new Set<string>()

  constructor(private readonly options: ExportsOptions) {}

  /** One export from the kick-off to the deletion; whatever is wrong becomes a finding. */
  async run(): Promise<void> {
    const { dice, client } = this.options
    const level = this.#someLevel()
    const cancelAfter = dice.chance(CANCELLED) ? dice.below(LONGEST_BEFORE_CANCEL) : undefined
    let statusUrl: string | undefined
    await this.#finding(nameOf(level), async () => {
      statusUrl = await client.kickOff(level)
      this.figures.kickedOff += 1
      this.#known.add(jobOf(statusUrl))
      if (cancelAfter === undefined) await this.#follow(level, statusUrl)
      else await this.#cancel(statusUrl, cancelAfter)
    })
  }

  /**
   * Follows the exports whose kick-off was accepted by a process that did not live to say so. They are exports like any
   * other, although no client knows of them.
   */
  async adopt(): Promise<void> {
    const { db, client } = this.options
    const alive = { status: { $in: ['accepted', 'running', 'completed', 'failed'] } }
    for (const { _id, level, groupId } of await jobsIn(db).find(alive).toArray()) {
      if (this.#known.has(_id)) continue
      this.figures.unanswered += 1
      const adopted = groupId === undefined ? (level as Level) : { group: groupId }
      await this.#finding(nameOf(adopted), () => this.#follow(adopted, client.statusUrl(_id)))
    }
  }

  #someLevel(): Level {
    const { dice, expectation } = this.options
    const level = dice.pick(['system', 'patient', 'group', 'group'] as const)
    return level === 'group' ? { group: dice.pick(expectation.groups) } : level
  }

  async #follow(level: Level, statusUrl: string): Promise<void> {
    const { client, storage, say } = this.options
    const job = jobOf(statusUrl)
    const started = performance.now()
    const manifest = await this.#end(level, statusUrl)
    if (manifest === undefined) return
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const { problems, files, resources } = await verifyExport(
      level,
      manifest,
      await folderOfJob(storage, job),
      this.options,
    )
    if (problems.length > 0)
      return await this.#keep(`${nameOf(level)} export ${job}: ${problems.join('; ')}.`, job)
    this.figures.completed += 1
    this.figures.files += files
    this.figures.resources += resources
    say(
      `${nameOf(level)} export complete after ${seconds} s: ${resources} resources in ${files} files, all right`,
    )
    await client.remove(statusUrl)
    await this.#requireGone(statusUrl)
  }

  /** The manifest; nothing when it became a finding instead. */
  async #end(level: Level, statusUrl: string): Promise<Manifest | undefined> {
    const { client } = this.options
    const about = `${nameOf(level)} export ${jobOf(statusUrl)}`
    let last = ''
    let since = Date.now()
    for (;;) {
      const now = await client.state(statusUrl)
      if (now.state === 'complete') return now.manifest
      if (now.state === 'gone') return await this.#keep(`${about} is gone.`, jobOf(statusUrl))
      if (now.state === 'failed') return await this.#keep(`${about} failed: ${now.reason}`, jobOf(statusUrl))
      if (now.progress !== last) {
        last = now.progress
        since = Date.now()
      }
      if (Date.now() - since > STUCK_AFTER) {
        return await this.#keep(`${about} stands still at "${last}".`, jobOf(statusUrl))
      }
      await delay(POLL_EVERY)
    }
  }

  async #cancel(statusUrl: string, after: number): Promise<void> {
    const { client, say } = this.options
    await delay(after)
    await client.remove(statusUrl)
    await this.#requireGone(statusUrl)
    this.figures.cancelled += 1
    say(`an export deleted after ${(after / 1000).toFixed(1)} s`)
  }

  async #requireGone(statusUrl: string): Promise<void> {
    const { state } = await this.options.client.state(statusUrl)
    if (state !== 'gone')
      await this.#keep(`Export ${jobOf(statusUrl)} is ${state} after DELETE.`, jobOf(statusUrl))
  }

  async #finding(about: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.options.findings.add(`${about} export: ${error instanceof Error ? error.message : String(error)}`)
      await delay(BREATHER)
    }
  }

  async #keep(what: string, job: string): Promise<undefined> {
    const { db, findings } = this.options
    this.kept.add(job)
    const files = { $map: { input: '$files', in: '$$this.name' } }
    const fields = {
      kind: 1,
      type: 1,
      status: 1,
      attempt: 1,
      failures: 1,
      leaseUntil: 1,
      notBefore: 1,
      files,
    }
    const record = {
      job: await jobsIn(db).findOne({ _id: job }),
      tasks: await db.collection('bulkexport.tasks').find({ job }).project(fields).toArray(),
      bells: await db.collection('bulkexport.bells').find().toArray(),
    }
    findings.add(what, record)
    await delay(BREATHER)
    return undefined
  }
}

interface JobDocument {
  readonly _id: string
  readonly level: string
  readonly groupId?: string
}

function jobsIn(db: Db) {
  return db.collection<JobDocument>('bulkexport.jobs')
}

function nameOf(level: Level): string {
  return typeof level === 'string' ? level : level.group
}

function jobOf(statusUrl: string): string {
  return new URL(statusUrl).pathname.split('/').at(-1) ?? ''
}
