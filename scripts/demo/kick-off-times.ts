import type { BulkClient } from '../client/bulk-client.js'

/**
 * How long kick-offs take to be answered, in ms, ascending. Each export is deleted at once; one that is not
 * counted comes first, to open the connection.
 */
export async function kickOffTimes(client: BulkClient, count: number): Promise<readonly number[]> {
  const times: number[] = []
  for (let number = 0; number <= count; number++) {
    const started = performance.now()
    const statusUrl = await client.kickOff('system')
    if (number > 0) times.push(performance.now() - started)
    await client.remove(statusUrl)
  }
  return times.sort((a, b) => a - b)
}

/** The value in the middle. */
export function median(ascending: readonly number[]): number {
  return ascending[Math.floor(ascending.length / 2)] ?? Number.NaN
}
