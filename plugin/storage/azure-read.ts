import { Readable } from 'node:stream'
import type { BlockBlobClient } from '@azure/storage-blob'
import { isDirectory } from './azure-removal.js'
import { failure, isAnswer, request, silence } from './azure-request.js'
import type { ByteRange } from './export-storage.js'

/**
 * The bytes of a blob. The stream fails when the service is silent for too long while there is somebody who reads.
 *
 * @throws an error with code `ENOENT` when there is no such blob
 */
export async function download(
  blob: BlockBlobClient,
  { start, end }: Partial<ByteRange>,
  timeout: number,
): Promise<Readable> {
  const doing = `Reading ${blob.name}`
  const count = end === undefined ? undefined : end - (start ?? 0) + 1
  let onProgress = () => {}
  try {
    const { metadata, readableStreamBody } = await request(doing, { timeout }, (abortSignal) =>
      blob.download(start, count, { abortSignal, maxRetryRequests: 3, onProgress: () => onProgress() }),
    )
    const body = readableStreamBody as Readable
    if (isDirectory(metadata)) {
      body.destroy()
      throw missing(blob)
    }
    const clock = setTimeout(() => {
      // Who has bytes that nobody takes does not wait for the service.
      if (body.readableLength > 0) clock.refresh()
      else body.destroy(silence(doing, timeout))
    }, timeout).unref()
    onProgress = () => clock.refresh()
    body.once('close', () => clearTimeout(clock))
    const stream = Readable.from(translated(body, doing), { objectMode: false })
    return stream.once('close', () => body.destroy())
  } catch (error) {
    if (isAnswer(error, 'BlobNotFound')) throw missing(blob)
    // A range that begins behind the last byte.
    if (isAnswer(error, 416)) return Readable.from([])
    throw error
  }
}

async function* translated(body: Readable, doing: string): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw failure(doing, error)
  }
}

function missing(blob: BlockBlobClient): Error {
  return Object.assign(new Error(`There is no blob ${blob.name}.`), { code: 'ENOENT' })
}
