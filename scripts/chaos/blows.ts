import { setTimeout as delay } from 'node:timers/promises'
import type { MongoClient } from 'mongodb'
import type { Fleet } from './fleet.js'
import type { Blow } from './plan.js'

/** How long the moment of a kill is waited for, in ms. */
const MOMENT_LIMIT = 6000

/** Deals blows, one after the other, and keeps count. */
export class Blows {
  readonly counts = new Map<string, number>()

  constructor(
    private readonly fleet: Fleet,
    /** Absent when the database is not ours to disturb. */
    private readonly admin: MongoClient | undefined,
    private readonly say: (text: string) => void,
  ) {}

  async deal(blow: Blow): Promise<void> {
    if (blow.spares) await this.fleet.whenWhole()
    await delay(blow.pause)
    switch (blow.kind) {
      case 'kill-api':
        return this.#note('API process', await this.fleet.killApi())
      case 'kill-worker':
        return this.#note('worker at random', await this.fleet.killWorker(blow.victim))
      case 'kill-worker-at': {
        // What does not come for a while is given up for what always comes soon, as long as anything is worked on.
        for (const moment of [blow.moment, 'task.done'] as const) {
          const killed = await this.fleet.killAt(moment, blow.later, MOMENT_LIMIT)
          if (killed !== undefined) return this.#note(`worker after ${moment}`, killed)
        }
        return this.#note('worker at random', await this.fleet.killWorker(blow.later))
      }
      case 'step-down':
        if (this.admin === undefined) return
        await stepDown(this.admin, blow.seconds)
        return this.#note('MongoDB step-down', `${blow.seconds} s without a primary`)
    }
  }

  #note(kind: string, whom: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    this.say(`${kind}: ${whom}`)
  }
}

/** The only member of a set becomes primary again when the time is over. */
async function stepDown(client: MongoClient, seconds: number): Promise<void> {
  await client.db('admin').command({ replSetStepDown: seconds, secondaryCatchUpPeriodSecs: 0, force: true })
}
