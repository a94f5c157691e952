/** What ends a wait before its work does. */
export interface Limits {
  readonly signal?: AbortSignal | undefined
  /** After this many ms `late` says what went wrong. */
  readonly timeout?: number
  late?(): Error
}

/**
 * Waits for work that may not know of signals, or may never end: rejects with the reason of the signal as soon as
 * it is aborted, or when the time is over. What the work does after that nobody hears of.
 */
export async function untilAborted<T>(
  work: () => Promise<T>,
  { signal, timeout, late = () => new Error(`This took longer than ${timeout} ms.`) }: Limits,
): Promise<T> {
  signal?.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  let onAbort: () => void = () => undefined
  const ended = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (timeout !== undefined) timer = setTimeout(() => reject(late()), timeout)
  })
  try {
    return await Promise.race([work(), ended])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
