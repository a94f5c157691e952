/** What was called, in order, and a way to wait for it. */
export class Calls {
  readonly all: string[] = []
  #waiting: { readonly count: number; readonly resolve: () => void }[] = []

  add(call: string): void {
    this.all.push(call)
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.all.length >= count) resolve()
      return this.all.length < count
    })
  }

  /** Resolves once there have been this many calls. */
  async reached(count: number): Promise<void> {
    if (this.all.length >= count) return
    await new Promise<void>((resolve) => {
      this.#waiting.push({ count, resolve })
    })
  }
}

/** A promise that somebody else resolves. */
export function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}
