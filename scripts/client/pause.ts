import { setTimeout as delay } from 'node:timers/promises'

/** The longest wait that a server may ask for, in ms: a wrong clock must not stop a client for days. */
const LONGEST = 3_600_000

/**
 * What `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or an HTTP date.
 *
 * @param now ms since 1970
 * @returns ms, an hour at most; `undefined` when there is no such header, or none that can be read
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (value === undefined || value === '') return undefined
  const wait = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST)
}

/** A pause after so many tries that failed in a row, in ms: doubles from half a second up to 30 s. */
export function backOff(failures: number): number {
  return Math.min(500 * 2 ** Math.max(failures - 1, 0), 30_000)
}

/** Rejects with the reason of the signal as soon as it is aborted. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {})
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  }
}
