/**
 * Makes the clock of this process wrong.
 *
 * @param offset in ms, positive for a clock that is ahead
 * @returns what makes it right again
 */
export function shiftClock(offset: number): () => void {
  const RightDate = globalThis.Date
  globalThis.Date = new Proxy(RightDate, {
    construct: (target, values) =>
      new target(...((values.length > 0 ? values : [target.now() + offset]) as [])),
    get: (target, name) => (name === 'now' ? () => target.now() + offset : Reflect.get(target, name, target)),
  })
  return () => {
    globalThis.Date = RightDate
  }
}

/** Acts while the clock of this process is wrong. */
export async function withClock<T>(offset: number, act: () => Promise<T>): Promise<T> {
  const setRight = shiftClock(offset)
  try {
    return await act()
  } finally {
    setRight()
  }
}
