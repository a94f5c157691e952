import { type BulkClientError, failure, type Send } from './bulk-client.js'
import { codeOf, ExportFailure, messageOf } from './failure.js'
import type { PartFile } from './part-file.js'
import { backOff, pause } from './pause.js'

export interface FileDownloadOptions {
  readonly send: Send
  readonly signal: AbortSignal
  /** How often in a row it may break off without a byte more. */
  readonly retries: number
  /** Is told after each piece how many bytes there are, and of how many if that is known. */
  onBytes(bytes: number, total: number | undefined): void
  onRetry(text: string): void
}

/** How long no byte may come until a connection counts as broken, in ms. */
const STALL_LIMIT = 60_000

/**
 * Loads the bytes of a file, gzip undone: goes on with what is there if the server has the very same file still (`Range`
 * with `If-Range`), and begins anew otherwise. What breaks off is gone on with.
 *
 * @returns whether bytes of an earlier connection are in it
 * @throws BulkClientError when the server refuses it, ExportFailure `download` when it breaks off again and again
 */
export async function downloadFile(
  url: string,
  part: PartFile,
  options: FileDownloadOptions,
): Promise<{ readonly isContinued: boolean }> {
  const { signal, retries, onRetry } = options
  let isContinued = false
  for (let failures = 0; ; ) {
    const before = await part.size()
    try {
      const outcome = await loadRest(url, part, options)
      isContinued ||= outcome.wasContinued
      return { isContinued }
    } catch (error) {
      signal.throwIfAborted()
      if (!isBroken(error)) throw error
      const after = await part.size()
      failures = after > before ? 1 : failures + 1
      if (failures > retries) {
        throw new ExportFailure(
          'download',
          `The connection broke off again and again: ${messageOf(error)}.`,
          {
            cause: error,
          },
        )
      }
      const ms = backOff(failures)
      onRetry(`${messageOf(error)} after ${after} bytes, trying again in ${Math.ceil(ms / 1000)} s`)
      await pause(ms, signal)
    }
  }
}

/** One connection, to the end of the file. */
async function loadRest(
  url: string,
  part: PartFile,
  options: FileDownloadOptions,
): Promise<{ readonly wasContinued: boolean }> {
  const stall = new AbortController()
  const signal = AbortSignal.any([options.signal, stall.signal])
  const [size, tag] = [await part.size(), await part.tag()]
  if (size > 0 && tag !== undefined) {
    const range = { Range: `bytes=${size}-`, 'If-Range': tag }
    const response = await ask(url, options, { headers: range, signal })
    if (response.status === 206 && startOf(response) === size && !isEncoded(response)) {
      const total = totalOf(response)
      await store(response, part, { from: size, total, exact: total }, stall, options)
      return { wasContinued: true }
    }
    if (response.status === 416 && totalOf(response) === size) {
      await response.arrayBuffer()
      return { wasContinued: true }
    }
    if (response.status === 200) return begin(response, tagOf(response))
    await response.arrayBuffer()
    if (response.status !== 206 && response.status !== 416) throw await refusal(response)
  }
  // What can be gone on with are the plain bytes: their tag and size are another's than those of what is compressed.
  const head = await plainHead(url, options)
  return begin(await ask(url, options, { signal }), head?.tag, head?.bytes)

  async function begin(response: Response, plainTag: string | undefined, bytes?: number) {
    if (response.status !== 200) throw await refusal(response)
    const tag = isEncoded(response) ? plainTag : (tagOf(response) ?? plainTag)
    const exact = isEncoded(response) ? undefined : lengthOf(response)
    await part.begin(tag)
    await store(response, part, { from: 0, total: exact ?? bytes, exact }, stall, options)
    return { wasContinued: false }
  }
}

function ask(url: string, { send }: FileDownloadOptions, init: RequestInit): Promise<Response> {
  return send(url, { ...init, headers: { Accept: 'application/fhir+ndjson', ...init.headers } })
}

/** What the server says of the file without compression; many do not answer HEAD for signed URLs. */
async function plainHead(url: string, options: FileDownloadOptions) {
  const headers = { 'Accept-Encoding': 'identity' }
  const response = await ask(url, options, { method: 'HEAD', headers, signal: options.signal })
  if (response.status !== 200 || isEncoded(response)) return undefined
  return { tag: tagOf(response), bytes: lengthOf(response) }
}

/** Where the bytes of an answer stand in the file; `total` is for show, `exact` what has to be there at the end. */
interface Extent {
  readonly from: number
  readonly total: number | undefined
  readonly exact: number | undefined
}

async function store(
  response: Response,
  part: PartFile,
  { from, total, exact }: Extent,
  stall: AbortController,
  { onBytes }: FileDownloadOptions,
): Promise<void> {
  async function* watched() {
    let bytes = from
    onBytes(bytes, total)
    const timer = setTimeout(() => {
      stall.abort(new BrokenDownload(`no byte came for ${STALL_LIMIT / 1000} s`))
    }, STALL_LIMIT)
    try {
      for await (const chunk of response.body ?? []) {
        timer.refresh()
        bytes += chunk.length
        yield chunk
        onBytes(bytes, total)
      }
    } finally {
      clearTimeout(timer)
    }
    if (exact !== undefined && bytes !== exact) {
      throw new BrokenDownload(`the answer has ended with ${bytes} of ${exact} bytes`)
    }
  }
  await part.append(watched())
}

/** An answer that ended before the file. */
class BrokenDownload extends Error {
  override readonly name = 'BrokenDownload'
}

/** `fetch` has a TypeError for a connection that broke off, and zlib its own codes for what it cannot undo. */
function isBroken(error: unknown): boolean {
  return error instanceof BrokenDownload || error instanceof TypeError || /^Z_/.test(codeOf(error) ?? '')
}

function refusal(response: Response): Promise<BulkClientError> {
  return failure('The download was refused', response)
}

/** Only a strong tag says that bytes are the same (RFC 9110, 13.1.5). */
function tagOf(response: Response): string | undefined {
  const tag = response.headers.get('etag') ?? ''
  return tag.startsWith('"') ? tag : undefined
}

function isEncoded(response: Response): boolean {
  return !['', 'identity'].includes(response.headers.get('content-encoding') ?? '')
}

function lengthOf(response: Response): number | undefined {
  const length = response.headers.get('content-length')
  return length === null ? undefined : Number(length)
}

function startOf(response: Response): number | undefined {
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  return start === undefined ? undefined : Number(start)
}

function totalOf(response: Response): number | undefined {
  const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}
