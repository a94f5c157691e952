/** A look at something that is repeated, never two at once. */
export interface RegularLook {
  /** Looks at once, or after the look that is under way. */
  now(): void
  /** Looks after a short while; several calls within it are one look. */
  soon(): void
  /** Looks now, and from then on regularly, and soon after a look that failed. */
  start(): void
  /** Looks no more by itself, and waits for the look that is under way; `now` goes on working. */
  stop(): Promise<void>
}

/** How soon is soon, and how often is regularly, in ms. */
export interface LookTimes {
  readonly soon: number
  readonly every: number
}

/** @param failed told what a look has thrown */
export function regularLook(
  look: () => Promise<void>,
  { soon: pause, every }: LookTimes,
  failed: (error: unknown) => void,
): RegularLook {
  let looking = Promise.resolve()
  let regular: NodeJS.Timeout | undefined
  let again: NodeJS.Timeout | undefined
  const regularly: RegularLook = {
    now() {
      looking = looking.then(look).catch((error: unknown) => {
        failed(error)
        if (regular !== undefined) regularly.soon()
      })
    },
    soon() {
      again ??= setTimeout(() => {
        again = undefined
        regularly.now()
      }, pause)
    },
    start() {
      regular = setInterval(() => regularly.now(), every)
      regularly.now()
    },
    async stop() {
      clearInterval(regular)
      clearTimeout(again)
      regular = undefined
      await looking
      // A look that failed meanwhile has asked for none, since there is no next one.
      clearTimeout(again)
    },
  }
  return regularly
}
