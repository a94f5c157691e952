import { AbortScope } from './abort-scope.js'

/**
 * What several generators give, one generator after the other, while up to `atOnce` of them have begun: those whose turn
 * has not come go as far as the first thing that they have. An error of one comes when its turn has come.
 *
 * @param generatorsUnder makes them one by one, each when there is room for it, to work under a signal that is aborted when
 * nobody needs more of them
 */
export async function* inOrder<T>(
  generatorsUnder: (signal: AbortSignal) => AsyncIterable<AsyncGenerator<T>>,
  atOnce: number,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const scope = new AbortScope(signal)
  const begun: Begun<T>[] = []
  const source = generatorsUnder(scope.signal)[Symbol.asyncIterator]()
  let isAll = false
  try {
    for (;;) {
      while (!isAll && begun.length < atOnce) {
        const { value, done } = await source.next()
        if (done) isAll = true
        else begun.push(begin(value))
      }
      const [current] = begun
      if (current === undefined) return
      for (let next = await current.first; !next.done; next = await current.generator.next()) yield next.value
      begun.shift()
    }
  } finally {
    scope.leave()
    // What they still do was given up, so how it ends is of no interest.
    await Promise.allSettled([
      ...begun.map(({ generator }) => generator.return(undefined)),
      source.return?.(),
    ])
  }
}

interface Begun<T> {
  readonly generator: AsyncGenerator<T>
  readonly first: Promise<IteratorResult<T>>
}

function begin<T>(generator: AsyncGenerator<T>): Begun<T> {
  const first = generator.next()
  // It is heard of when its turn has come, and never if that does not come.
  first.catch(() => undefined)
  return { generator, first }
}
