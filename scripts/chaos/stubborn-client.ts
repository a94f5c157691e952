import { setTimeout as delay } from 'node:timers/promises'
import type { Manifest } from '../../plugin/index.js'
import type { Level } from '../client/bulk-client.js'
import { linesIn } from '../host/ndjson-lines.js'

/** How an export stands. */
export type ExportState =
  | { readonly state: 'running'; readonly progress: string }
  | { readonly state: 'complete'; readonly manifest: Manifest }
  | { readonly state: 'failed'; readonly reason: string }
  | { readonly state: 'gone' }

/** How long one request is repeated while nobody answers it, in ms. */
const PATIENCE = 120_000
/** How long one try may take, in ms. */
const TRY_LIMIT = 30_000
const PAUSE = 250

/** The server has answered, and with something that it must not answer. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer'
}

/**
 * A client whose server is killed again and again: it repeats what was not answered, or with "not now", as Bulk Data
 * clients should. Asks for `separate-export-status`, so that a poll that failed is never taken for an export that
 * failed.
 */
export class StubbornClient {
  /** How many requests were repeated. */
  repeated = 0

  constructor(private readonly base: string) {}

  /** A kick-off that is repeated may have been accepted before as well. */
  async kickOff(level: Level): Promise<string> {
    const headers = {
      Accept: 'application/fhir+json',
      Prefer: 'respond-async, separate-export-status',
    }
    return this.#ask(`${this.base}/${pathOf(level)}`, { headers }, async (response) => {
      const text = await response.text()
      const location = response.headers.get('content-location')
      if (response.status === 202 && location !== null) return location
      throw new WrongAnswer(`The kick-off was answered ${response.status}: ${reasonOf(text)}`)
    })
  }

  /** Where the export with this id is asked for. */
  statusUrl(job: string): string {
    return `${this.base}/$export/${job}`
  }

  async state(statusUrl: string): Promise<ExportState> {
    return this.#ask(statusUrl, {}, async (response) => {
      const text = await response.text()
      if (response.status === 404) return { state: 'gone' }
      const status = response.headers.get('x-export-status') ?? ''
      if (status.startsWith('202')) {
        return { state: 'running', progress: response.headers.get('x-progress') ?? '' }
      }
      if (status.startsWith('200')) {
        return { state: 'complete', manifest: JSON.parse(text) as Manifest }
      }
      if (status !== '') return { state: 'failed', reason: `${status}: ${reasonOf(text)}` }
      throw new WrongAnswer(`A poll was answered ${response.status}: ${reasonOf(text)}`)
    })
  }

  /**
   * The names, such as `Patient/p1`, of the resources in a file, in their order. A download that broke off is begun
   * anew, and what came of it does not count.
   */
  async namesIn(url: string): Promise<readonly string[]> {
    return this.#ask(url, { headers: { Accept: 'application/fhir+ndjson' } }, async (response) => {
      if (response.status !== 200 || response.body === null) {
        throw new WrongAnswer(
          `A download was answered ${response.status}: ${reasonOf(await response.text())}`,
        )
      }
      const names: string[] = []
      for await (const { text, number } of linesIn(response.body)) names.push(nameOf(text, number))
      return names
    })
  }

  /** @returns whether it was there; what was deleted by a request that nobody answered no longer is */
  async remove(statusUrl: string): Promise<boolean> {
    return this.#ask(statusUrl, { method: 'DELETE' }, async (response) => {
      const text = await response.text()
      if (response.status === 202) return true
      if (response.status === 404) return false
      throw new WrongAnswer(`DELETE was answered ${response.status}: ${reasonOf(text)}`)
    })
  }

  async #ask<T>(url: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> {
    const deadline = Date.now() + PATIENCE
    for (;;) {
      try {
        const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TRY_LIMIT) })
        if (response.status < 500 && response.status !== 429) return await read(response)
        // The status of an export comes in a header of its own; this is a request that could not be answered.
        const text = await response.text()
        if (Date.now() > deadline)
          throw new WrongAnswer(`${response.status} again and again: ${reasonOf(text)}`)
      } catch (error) {
        if (error instanceof WrongAnswer || Date.now() > deadline) throw error
      }
      this.repeated += 1
      await delay(PAUSE)
    }
  }
}

function nameOf(line: string, number: number): string {
  let resource: { readonly resourceType?: unknown; readonly id?: unknown }
  try {
    resource = JSON.parse(line)
  } catch {
    throw new WrongAnswer(`Line ${number} of a file is not JSON.`)
  }
  return `${resource.resourceType}/${resource.id}`
}

/** What an OperationOutcome says. */
function reasonOf(text: string): string {
  try {
    const { issue = [] } = JSON.parse(text) as { issue?: readonly { diagnostics?: string }[] }
    return issue.map(({ diagnostics }) => diagnostics).join(' ')
  } catch {
    return text.slice(0, 200)
  }
}

function pathOf(level: Level): string {
  if (level === 'system') return '$export'
  return level === 'patient' ? 'Patient/$export' : `Group/${level.group}/$export`
}
