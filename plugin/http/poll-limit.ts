/** Slows clients down that ask for the same status too often. Keeps one number for each job asked for lately. */
export interface PollLimit {
  /**
   * Counts a poll, unless it comes too early.
   *
   * @param job what is polled
   * @param hasEnded a job that has just ended is a new thing to ask for, whatever was asked before
   * @param now any clock that never goes back, in ms
   * @returns seconds to wait, at least 1, when the poll is too early and did not count
   */
  poll(job: string, hasEnded: boolean, now: number): number | undefined
  /** Jobs that are remembered. */
  readonly size: number
}

/** Polls that may come at once, before the interval is demanded. */
const BURST = 10
/** So many jobs are remembered before the first look for those that need not be. */
const FIRST_SWEEP = 1000

/**
 * A client may poll once per interval, and has as much in hand as it did not use lately, up to ten polls. A job is
 * forgotten once that is full again, so memory goes with what is polled now and not with the jobs there were.
 *
 * @param interval in ms; 0 never slows anybody down
 */
export function pollLimit(interval: number): PollLimit {
  /** When each job has all its polls in hand again. */
  const fullAt = new Map<string, number>()
  let sweepAt = FIRST_SWEEP
  return {
    poll(job, hasEnded, now) {
      if (interval === 0) return undefined
      const key = `${job} ${hasEnded}`
      const full = Math.max(now, fullAt.get(key) ?? now)
      const early = full - now - (BURST - 1) * interval
      if (early > 0) return Math.ceil(early / 1000)
      fullAt.set(key, full + interval)
      if (fullAt.size >= sweepAt) {
        for (const [name, at] of fullAt) if (at <= now) fullAt.delete(name)
        sweepAt = Math.max(FIRST_SWEEP, 2 * fullAt.size)
      }
      return undefined
    },
    get size() {
      return fullAt.size
    },
  }
}
