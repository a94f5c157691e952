import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

/** How a kick-off was answered. */
export interface Answer {
  readonly ms: number
  /** Absent: it was refused with 429. */
  readonly statusUrl?: string
}

/**
 * Sends kick-offs all at once, each on a connection of its own, as many clients would.
 *
 * @throws Error when one is answered with anything but 202 and a status URL, or 429 and `Retry-After`
 */
export function kickOffBurst(url: string, count: number): Promise<readonly Answer[]> {
  return Promise.all(Array.from({ length: count }, () => kickOff(url)))
}

async function kickOff(url: string): Promise<Answer> {
  const started = performance.now()
  const headers = { Accept: 'application/fhir+json', Prefer: 'respond-async' }
  const request = get(url, { agent: false, headers })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const body = await text(response)
  const ms = performance.now() - started
  const { 'content-location': statusUrl, 'retry-after': retryAfter } = response.headers
  if (response.statusCode === 202 && statusUrl !== undefined) return { ms, statusUrl }
  if (response.statusCode === 429 && Number(retryAfter) > 0) return { ms }
  const what = `${response.statusCode}, Retry-After ${retryAfter}, Content-Location ${statusUrl}`
  throw new Error(`A kick-off was answered with ${what}: ${body.slice(0, 200)}`)
}
