import { setTimeout as delay } from 'node:timers/promises'
import { ExportError } from '../errors.js'
import type { ExportJobs } from './export-jobs.js'
import type { ExportJob } from './model.js'

/** How many exports may be under way, all processes on the database together. */
export interface RunningLimits {
  /** Of all clients together. */
  readonly maxRunningExports: number
  /** Of one client; without authorisation nobody can tell clients apart, and only the total counts. */
  readonly maxRunningExportsPerClient: number
  /** Whether a client may ask only once at a time for the same export; default: as often as it likes. */
  readonly refuseDuplicates?: boolean
}

type Candidate = Pick<ExportJob, '_id' | 'transactionTime' | 'owner' | 'fingerprint'>

/** What a refused client is told to wait, in seconds. */
const RETRY_AFTER = 10
/** When a job first looks again while others may still withdraw, in ms; each wait is twice the one before. */
const LOOK_AGAIN = 25
const MOST_LOOKS = 9

/**
 * Refuses a job for which there is no room. Called before the job is stored, so that nothing has to be taken back
 * as long as clients come one after the other.
 *
 * @throws ExportError 429 that names the limit
 */
export async function requireRoom(job: Candidate, jobs: ExportJobs, limits: RunningLimits): Promise<void> {
  for (const { limit, unfinished } of await counted(job, jobs, limits)) {
    if (unfinished >= limit.most) throw refusal(limit)
  }
}

/**
 * Decides over a job that has been stored, since several may have seen the same free place. A job stays only after
 * it has seen that all which are there, itself included, are within the limits: so whichever of those that stay
 * looked last has seen all others, and there are never too many. Those that have been placed (`ExportJobs.place`, for
 * each that stays) keep it. Of the others those that came last by transaction time and id go, and the ones before them
 * wait until they have gone, so that their places are not left free.
 *
 * @throws ExportError 429 that names the limit; the job has to be withdrawn then
 */
export async function requirePlace(job: Candidate, jobs: ExportJobs, limits: RunningLimits): Promise<void> {
  for (const { limit, ...first } of await counted(job, jobs, limits)) {
    let { unfinished } = first
    for (let looks = 1; unfinished > limit.most; looks += 1) {
      const ahead = await jobs.countUnfinished({ ...limit.of, before: job })
      if (ahead >= limit.most || looks === MOST_LOOKS) throw refusal(limit)
      await delay(LOOK_AGAIN * 2 ** (looks - 1))
      unfinished = await jobs.countUnfinished(limit.of)
    }
  }
}

/** The refusal of a kick-off that no process would work on. */
export function withoutWorkers(): ExportError {
  const text =
    'No worker of this server is running, so an export would not begin. Start a process with the option workers above 0.'
  return new ExportError(503, text, { code: 'transient', retryAfter: 30 })
}

interface Limit {
  /** Which jobs count. */
  readonly of: Pick<Candidate, 'owner' | 'fingerprint'>
  readonly most: number
  readonly text: string
}

function limitsFor({ owner, fingerprint }: Candidate, limits: RunningLimits): readonly Limit[] {
  const { maxRunningExports: ofAll, maxRunningExportsPerClient: ofOne } = limits
  const total = {
    of: {},
    most: ofAll,
    text: `This server runs at most ${ofAll} exports at the same time (maxRunningExports).`,
  }
  const same = {
    most: 1,
    text: 'An export that asks for the same is under way, and this server runs only one (refuseDuplicates).',
  }
  const once = limits.refuseDuplicates && fingerprint !== undefined ? [{ of: { fingerprint }, ...same }] : []
  if (owner === undefined) return [...once, total]
  const own = `A client may have at most ${ofOne} exports under way (maxRunningExportsPerClient).`
  return [...once, { of: { owner }, most: ofOne, text: own }, total]
}

/** How many jobs have not ended, for each limit. */
function counted(job: Candidate, jobs: ExportJobs, limits: RunningLimits) {
  return Promise.all(
    limitsFor(job, limits).map(async (limit) => ({
      limit,
      unfinished: await jobs.countUnfinished(limit.of),
    })),
  )
}

function refusal({ text }: Limit): ExportError {
  return new ExportError(429, `${text} Try again when one has ended.`, {
    code: 'throttled',
    retryAfter: RETRY_AFTER,
  })
}
