import type { Window } from '../fhir/window.js'

/** A window that is asked with numbers, and tells of a time what `isWithinWindow` tells of a resource. */
export class ScanWindow {
  readonly #since: number
  readonly #before: number
  readonly #until: number

  constructor({ since, before, until }: Window) {
    this.#since = since?.getTime() ?? -Infinity
    this.#before = before?.getTime() ?? Infinity
    this.#until = until.getTime()
  }

  /** @param time in ms since 1970; NaN, when there is none that can be read, is within every window */
  includes(time: number): boolean {
    return Number.isNaN(time) || (time > this.#since && time < this.#before && time <= this.#until)
  }
}
