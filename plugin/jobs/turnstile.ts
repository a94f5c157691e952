/** Does work as soon as fewer than so many others are at it; who came first goes first. */
export type Turnstile = <T>(work: () => Promise<T>) => Promise<T>

export function turnstile(most: number): Turnstile {
  let inside = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (inside < most) inside += 1
    else await new Promise<void>((enter) => waiting.push(enter))
    try {
      return await work()
    } finally {
      const enter = waiting.shift()
      if (enter === undefined) inside -= 1
      else enter()
    }
  }
}
