import { setMaxListeners } from 'node:events'

/** Searches that nobody needs once their reader has left. They end with the signal that the reader itself obeys, too. */
export class AbortScope {
  readonly #controller = new AbortController()

  constructor(private readonly outer: AbortSignal) {
    // As many listen as there are searches under way.
    setMaxListeners(0, this.#controller.signal)
    outer.addEventListener('abort', this.#onAbort, { once: true })
    if (outer.aborted) this.#onAbort()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Ends what is still under way. */
  leave(): void {
    this.outer.removeEventListener('abort', this.#onAbort)
    this.#controller.abort(new Error('Nobody needs the answer any more.'))
  }

  readonly #onAbort = () => this.#controller.abort(this.outer.reason)
}
