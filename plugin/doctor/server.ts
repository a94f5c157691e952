import type { Db } from './database.js'
import type { HostCheck } from './host-check.js'

/** The clock is asked so many times; the answer that came fastest counts. */
const CLOCK_LOOKS = 5

/** The database server: what it is, and what time it is there. */
export const server: HostCheck = {
  name: 'server',
  area: 'database',
  async run({ database, instructions }) {
    if (database === undefined) return []
    const { db } = database
    const maxTimeMS = instructions.stepTimeout
    const hello = await db.command({ hello: 1, maxTimeMS })
    const version = String((await db.command({ buildInfo: 1, maxTimeMS }))['version'])
    if (hello['msg'] === 'isdbgrid') return [{ ...OK, detail: `MongoDB ${version}, sharded` }]
    const name = hello['setName']
    if (typeof name !== 'string') return [{ ...STANDALONE, detail: `MongoDB ${version}` }]
    return [{ ...OK, detail: `MongoDB ${version}, replica set ${name}` }]
  },
}

/** The difference between the clock of the database and that of this process. */
export const clock: HostCheck = {
  name: 'clock',
  area: 'database',
  async run({ database, host, instructions }) {
    if (database === undefined) return []
    const { difference, doubt } = await clockDifference(database.db, instructions.stepTimeout)
    const detail = `${difference > 0 ? '+' : ''}${Math.round(difference)} ms`
    if (Math.abs(difference) - doubt <= Math.max(host.options.writeGrace, 100)) {
      return [{ level: 'ok', what: 'The clocks of this process and the database agree.', detail }]
    }
    const cost =
      'Exports take the earlier time, so they lack what was written since then, until the next one with _since. What is ' +
      'stamped by a clock that is behind may be missed by both.'
    return [
      {
        level: 'warning',
        what: 'The clocks of this process and the database differ by more than writeGrace.',
        detail,
        ...{ cost, remedy: 'Set the clocks (NTP), or make writeGrace longer than they differ.' },
      },
    ]
  },
}

const OK = { level: 'ok', what: 'Workers are woken at once, by change streams.' } as const

const STANDALONE = {
  level: 'notice',
  what: 'The server is standalone, so there are no change streams.',
  cost: 'Workers look for work once a second: an export begins up to a second later.',
  remedy: 'Make it a replica set, if only of one.',
} as const

/** How far the database is ahead, and by how much that may be wrong, in ms. */
async function clockDifference(db: Db, maxTimeMS: number): Promise<{ difference: number; doubt: number }> {
  let best = { difference: 0, doubt: Number.POSITIVE_INFINITY }
  for (let look = 0; look < CLOCK_LOOKS; look += 1) {
    const asked = Date.now()
    const { localTime } = await db.command({ hello: 1, maxTimeMS })
    const answered = Date.now()
    const doubt = (answered - asked) / 2
    const difference = (localTime as Date).getTime() - (asked + answered) / 2
    if (doubt < best.doubt) best = { difference, doubt }
  }
  return best
}
