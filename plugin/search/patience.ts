/** What ends a wait before its work does. */
export interface PatienceLimits {
  readonly signal?: AbortSignal | undefined
  /** How long each wait may take, in ms; then `late` says what went wrong. */
  readonly timeout: number
  late(): Error
}

/**
 * Waits for one thing after the other, of which there may be millions: with one timer and one listener for all of them,
 * and nothing kept of those that are over.
 */
export class Patience {
  readonly #timer: NodeJS.Timeout
  #giveUp: ((reason: unknown) => void) | undefined
  #isLost = false

  constructor(private readonly limits: PatienceLimits) {
    this.#timer = setTimeout(() => this.#lose(limits.late()), limits.timeout)
    limits.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Whether a wait was given up, so that what was waited for may still be under way. */
  get isLost(): boolean {
    return this.#isLost
  }

  /**
   * Waits for a piece of work, which must not begin before that.
   *
   * @throws the reason of the signal, or what `late` gives, when that comes first; what the work does then nobody hears of
   */
  for<T>(work: () => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.limits.signal?.throwIfAborted()
      const done = <R>(settle: (result: R) => void) => {
        return (result: R) => {
          if (this.#giveUp === reject) this.#giveUp = undefined
          settle(result)
        }
      }
      const begun = Promise.resolve(work())
      this.#timer.refresh()
      this.#giveUp = reject
      begun.then(done(resolve), done(reject))
    })
  }

  end(): void {
    clearTimeout(this.#timer)
    this.limits.signal?.removeEventListener('abort', this.#onAbort)
  }

  readonly #onAbort = () => this.#lose(this.limits.signal?.reason)

  /** Between two waits there is nothing to give up: the signal is looked at by the next one, and the time counts anew. */
  #lose(reason: unknown): void {
    if (this.#giveUp === undefined) return
    this.#isLost = true
    this.#giveUp(reason)
    this.#giveUp = undefined
  }
}
