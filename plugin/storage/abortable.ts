/**
 * The pieces of a source. Ends with the signal's reason as soon as that is aborted, even while the source waits for
 * something that never comes; a source that is not read to its end is told so.
 *
 * @throws what the source throws, or the reason of the signal
 */
export async function* abortable(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const iterator = source[Symbol.asyncIterator]()
  let isRead = false
  try {
    signal?.throwIfAborted()
    for (;;) {
      const { value, done } = await untilAborted(iterator.next(), signal)
      if (done) {
        isRead = true
        return
      }
      yield value
    }
  } finally {
    // Not waited for: a source that waits for ever would never get there. What it throws on its way out tells
    // nobody more than the error that is on its way already.
    if (!isRead) iterator.return?.().catch(() => undefined)
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  let onAbort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
