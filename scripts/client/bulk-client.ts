import type { Manifest } from '../../plugin/index.js'
import { type KickOffRequest, kickOffRequest, type Level } from './kick-off.js'
import { explanation, issuesIn } from './operation-outcome.js'
import { backOff, pause, retryAfter } from './pause.js'

export type { Level } from './kick-off.js'

/** An answer that the protocol does not allow for what was asked, with the server's own explanation. */
export class BulkClientError extends Error {
  override readonly name = 'BulkClientError'

  /** @param isTransient whether the server explains that asking again may help */
  constructor(
    message: string,
    readonly status: number,
    readonly isTransient = false,
  ) {
    super(message)
  }
}

/** How an export stands; `retryAfter` is in seconds, 1 where the server does not say. */
export type ExportStatus =
  | { readonly state: 'running'; readonly progress: string; readonly retryAfter: number }
  | { readonly state: 'complete'; readonly manifest: Manifest }

export interface WaitOptions {
  onProgress?(progress: string): void
  readonly signal?: AbortSignal
  /** How many polls in a row may fail by what passes; default: none. */
  readonly retries?: number
}

/** Sends a request as `fetch` does; one that adds a token, say, or asks again. */
export type Send = (url: string, init?: RequestInit) => Promise<Response>

/** The client's side of the protocol (Bulk Data 3.0.0), for the programs and the tests. */
export interface BulkClient {
  /**
   * Sends a kick-off by GET.
   *
   * @returns the status URL
   * @throws BulkClientError for anything but 202 with an absolute `Content-Location`
   */
  kickOff(level: Level, parameters?: Readonly<Record<string, string>>): Promise<string>
  /** Sends a kick-off as it is; otherwise the same. */
  send(request: KickOffRequest): Promise<string>
  /** @throws BulkClientError when the export failed or is not there */
  status(statusUrl: string): Promise<ExportStatus>
  /** Asks as often as the server wants to be asked, until the export is complete. */
  waitForExport(statusUrl: string, options?: WaitOptions): Promise<Manifest>
  /** The bytes of an output file. */
  download(url: string): Promise<AsyncIterable<Uint8Array>>
  /** Deletes an export, or cancels one that runs. */
  remove(statusUrl: string): Promise<void>
}

/** Between two polls, in ms, whatever a server says. */
const SHORTEST_WAIT = 100

/** What an issue says of a failure that may pass. `exception` is not here: servers have it for failed exports. */
const TRANSIENT = new Set(['transient', 'lock-error', 'no-store', 'timeout', 'throttled'])

/** @param base the FHIR base URL, such as `http://127.0.0.1:3000/4_0_0` */
export function bulkClient(base: string, send: Send = fetch): BulkClient {
  const client: BulkClient = {
    kickOff: (level, parameters = {}) => client.send(kickOffRequest(base, level, Object.entries(parameters))),
    async send({ url, ...init }) {
      const response = await send(url, init)
      if (response.status !== 202) throw await failure('The kick-off was refused', response)
      await response.arrayBuffer()
      const location = response.headers.get('content-location')
      if (location === null || !URL.canParse(location)) {
        throw new BulkClientError('The kick-off was answered without an absolute Content-Location.', 202)
      }
      return location
    },
    async status(statusUrl) {
      const response = await send(statusUrl, { headers: { Accept: 'application/json' } })
      if (response.status === 200) {
        return { state: 'complete', manifest: (await manifestIn(response)) as Manifest }
      }
      if (response.status !== 202) throw await failure('The export failed', response)
      await response.arrayBuffer()
      return {
        state: 'running',
        progress: response.headers.get('x-progress') ?? '',
        retryAfter: (retryAfter(response.headers, Date.now()) ?? 1000) / 1000,
      }
    },
    async waitForExport(statusUrl, { onProgress, signal, retries = 0 } = {}) {
      for (let failures = 0; ; ) {
        try {
          const status = await client.status(statusUrl)
          if (status.state === 'complete') return status.manifest
          failures = 0
          onProgress?.(status.progress)
          await pause(Math.max(status.retryAfter * 1000, SHORTEST_WAIT), signal)
        } catch (error) {
          failures++
          if (!mayPass(error) || failures > retries || signal?.aborted) throw error
          await pause(backOff(failures), signal)
        }
      }
    },
    async download(url) {
      const response = await send(url, { headers: { Accept: 'application/fhir+ndjson' } })
      if (response.status !== 200 || response.body === null)
        throw await failure('The download failed', response)
      return response.body
    },
    async remove(statusUrl) {
      const response = await send(statusUrl, { method: 'DELETE' })
      if (response.status !== 202) throw await failure('The export was not deleted', response)
      await response.arrayBuffer()
    },
  }
  return client
}

/** `fetch` has a TypeError for an answer that broke off. */
function mayPass(error: unknown): boolean {
  return error instanceof BulkClientError ? error.isTransient : error instanceof TypeError
}

/** What a refusal says, as an error; reads the answer to its end. */
export async function failure(what: string, response: Response): Promise<BulkClientError> {
  const body = await response.text()
  const { status } = response
  const isTransient = status >= 500 && issuesIn(body).some(({ code }) => TRANSIENT.has(code))
  return new BulkClientError(`${what}: HTTP ${status}. ${explanation(body)}`.trim(), status, isTransient)
}

async function manifestIn(response: Response): Promise<unknown> {
  const body = await response.text()
  try {
    return JSON.parse(body)
  } catch {
    throw new BulkClientError('The manifest is not JSON.', 200)
  }
}
