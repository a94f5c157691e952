import { setTimeout as delay } from 'node:timers/promises'
import type { Manifest } from '../../plugin/index.js'

export type Level = 'system' | 'patient' | { readonly group: string }

/** An answer that the protocol does not allow for what was asked, with the server's own explanation. */
export class BulkClientError extends Error {
  override readonly name = 'BulkClientError'

  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}

/** How an export stands. */
export type ExportStatus =
  | { readonly state: 'running'; readonly progress: string; readonly retryAfter: number }
  | { readonly state: 'complete'; readonly manifest: Manifest }

export interface WaitOptions {
  onProgress?(progress: string): void
  readonly signal?: AbortSignal
}

/** The client's side of the protocol (Bulk Data 3.0.0), for the programs and the tests. */
export interface BulkClient {
  /**
   * Sends a kick-off by GET.
   *
   * @returns the status URL
   * @throws BulkClientError for anything but 202 with an absolute `Content-Location`
   */
  kickOff(level: Level, parameters?: Readonly<Record<string, string>>): Promise<string>
  /** @throws BulkClientError when the export failed or is not there */
  status(statusUrl: string): Promise<ExportStatus>
  /** Asks as often as the server wants to be asked, until the export is complete. */
  waitForExport(statusUrl: string, options?: WaitOptions): Promise<Manifest>
  /** The bytes of an output file. */
  download(url: string): Promise<AsyncIterable<Uint8Array>>
  remove(statusUrl: string): Promise<void>
}

/** @param base the FHIR base URL, such as `http://127.0.0.1:3000/4_0_0` */
export function bulkClient(base: string): BulkClient {
  const client: BulkClient = {
    async kickOff(level, parameters = {}) {
      const query = new URLSearchParams(parameters).toString()
      const url = `${base}/${pathOf(level)}${query === '' ? '' : `?${query}`}`
      const response = await fetch(url, {
        headers: { Accept: 'application/fhir+json', Prefer: 'respond-async' },
      })
      if (response.status !== 202) throw await failure('The kick-off was refused', response)
      await response.arrayBuffer()
      const location = response.headers.get('content-location')
      if (location === null || !URL.canParse(location)) {
        throw new BulkClientError('The kick-off was answered without an absolute Content-Location.', 202)
      }
      return location
    },
    async status(statusUrl) {
      const response = await fetch(statusUrl, { headers: { Accept: 'application/json' } })
      if (response.status === 200) {
        return { state: 'complete', manifest: (await response.json()) as Manifest }
      }
      if (response.status !== 202) throw await failure('The export failed', response)
      await response.arrayBuffer()
      return {
        state: 'running',
        progress: response.headers.get('x-progress') ?? '',
        retryAfter: Number(response.headers.get('retry-after') ?? 1),
      }
    },
    async waitForExport(statusUrl, { onProgress, signal } = {}) {
      for (;;) {
        const status = await client.status(statusUrl)
        if (status.state === 'complete') return status.manifest
        onProgress?.(status.progress)
        await delay(status.retryAfter * 1000, undefined, signal ? { signal } : {})
      }
    },
    async download(url) {
      const response = await fetch(url, { headers: { Accept: 'application/fhir+ndjson' } })
      if (response.status !== 200 || response.body === null)
        throw await failure('The download failed', response)
      return response.body
    },
    async remove(statusUrl) {
      const response = await fetch(statusUrl, { method: 'DELETE' })
      if (response.status !== 202) throw await failure('The export was not deleted', response)
      await response.arrayBuffer()
    },
  }
  return client
}

function pathOf(level: Level): string {
  if (level === 'system') return '$export'
  return level === 'patient' ? 'Patient/$export' : `Group/${encodeURIComponent(level.group)}/$export`
}

async function failure(what: string, response: Response): Promise<BulkClientError> {
  const text = await response.text()
  return new BulkClientError(`${what}: HTTP ${response.status}. ${explanation(text)}`.trim(), response.status)
}

function explanation(text: string): string {
  try {
    const { issue } = JSON.parse(text) as { issue?: readonly { diagnostics?: string }[] }
    return (issue ?? []).map(({ diagnostics }) => diagnostics).join(' ')
  } catch {
    return text.slice(0, 200)
  }
}
