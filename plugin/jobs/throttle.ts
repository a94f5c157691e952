import { setTimeout as delay } from 'node:timers/promises'

/** What a process may write in a second; absent: as much as it can. */
export interface MaxRate {
  readonly resources?: number | undefined
  readonly bytes?: number | undefined
}

/** What was written. */
export interface Amount {
  readonly resources: number
  readonly bytes: number
}

/** Keeps all tasks of a process together below a rate, and by that their reading too, which follows the writing. */
export class Throttle {
  /** When all that was written is paid for, by `now`. */
  #paid = 0

  /** @param now a clock in ms that never goes back */
  constructor(
    private readonly rate: MaxRate,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Waits as long as what was written has to take.
   *
   * @throws the reason of the signal as soon as it is aborted
   */
  async pass(written: Amount, signal: AbortSignal): Promise<void> {
    const { resources = Infinity, bytes = Infinity } = this.rate
    const price = 1000 * Math.max(written.resources / resources, written.bytes / bytes)
    if (price === 0) return
    this.#paid = Math.max(this.#paid, this.now()) + price
    const pause = this.#paid - this.now()
    await delay(pause, undefined, { signal }).catch((error: unknown) => {
      // The error of the timer says only that it was aborted.
      signal.throwIfAborted()
      throw error
    })
  }
}

/**
 * The same lines, each chunk followed by the pause that it costs.
 *
 * @param size of what has come until now
 */
export async function* throttled(
  lines: AsyncIterable<Uint8Array>,
  size: Amount,
  throttle: Throttle,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let resources = 0
  for await (const chunk of lines) {
    const bytes = chunk.length
    yield chunk
    await throttle.pass({ resources: size.resources - resources, bytes }, signal)
    resources = size.resources
  }
}
