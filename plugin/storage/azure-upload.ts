import { randomUUID } from 'node:crypto'
import type { BlockBlobClient } from '@azure/storage-blob'
import { abortable } from './abortable.js'
import { blocksOf } from './azure-blocks.js'
import { type AzureError, isAnswer, request } from './azure-request.js'
import type { WriteOptions } from './export-storage.js'

/** How blobs are written. */
export interface UploadSettings {
  /** Bytes of a block. */
  readonly blockSize: number
  /** How many blocks of that size are on their way at the same time. */
  readonly concurrency: number
  /** For one request without its bytes, in ms. */
  readonly timeout: number
  readonly encryptionScope?: string | undefined
  readonly accessTier?: string | undefined
}

/** The slowest connection that is waited for, in bytes per ms: 128 kB/s. */
const SLOWEST = 128
/** How long it may take, at most, to look what became of a request that was ended, in ms. */
const LOOK_LIMIT = 5000
/** Tells blobs of one write from those of another. Names of metadata are C# identifiers. */
const WRITE_ID = 'bulkexportwrite'

/**
 * Writes a blob that does not exist yet: in one request when all its bytes fit into a block, otherwise in blocks that
 * do not count before they are all there and committed. Rejects without a blob; uncommitted blocks may stay.
 */
export async function upload(
  blob: BlockBlobClient,
  source: AsyncIterable<Uint8Array>,
  { contentType, contentEncoding, signal }: WriteOptions,
  { blockSize, concurrency, timeout, encryptionScope, accessTier }: UploadSettings,
): Promise<void> {
  const id = randomUUID()
  const ending = new AbortController()
  const onAbort = () => ending.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })

  const scope = encryptionScope === undefined ? {} : { encryptionScope }
  const headers = {
    ...scope,
    ...(accessTier === undefined ? {} : { tier: accessTier }),
    conditions: { ifNoneMatch: '*' },
    metadata: { [WRITE_ID]: id },
    blobHTTPHeaders: {
      ...(contentType === undefined ? {} : { blobContentType: contentType }),
      ...(contentEncoding === undefined ? {} : { blobContentEncoding: contentEncoding }),
    },
  }
  const limits = (bytes: number) => ({ timeout: timeout + bytes / SLOWEST, signal: ending.signal })
  const doing = `Writing ${blob.name}`
  const ids: string[] = []
  const staging = new Map<Promise<void>, number>()
  const spare: Uint8Array[] = []

  const stage = async (block: Uint8Array) => {
    // All ids of a blob have to be of one length.
    const blockId = Buffer.from(`${id}-${String(ids.length).padStart(5, '0')}`).toString('base64')
    ids.push(blockId)
    const staged = request(doing, limits(block.length), (abortSignal) =>
      blob.stageBlock(blockId, block, block.length, { ...scope, abortSignal }),
    )
      .then(
        () => void spare.push(block),
        // Ends the others, and the wait for more of the source.
        (error: unknown) => ending.abort(error),
      )
      .finally(() => staging.delete(staged))
    staging.set(staged, block.length)
    while (bytesIn(staging) >= blockSize * concurrency) await Promise.race(staging.keys())
    ending.signal.throwIfAborted()
  }

  try {
    let single: Uint8Array | undefined
    for await (const block of blocksOf(abortable(source, ending.signal), blockSize, spare)) {
      if (single === undefined && ids.length === 0) {
        single = block
        continue
      }
      if (single !== undefined) await stage(single)
      single = undefined
      await stage(block)
    }
    await Promise.all(staging.keys())
    ending.signal.throwIfAborted()
    const bytes = single ?? new Uint8Array(0)
    const writing = { blob, id, timeout: Math.min(timeout, LOOK_LIMIT), signal: ending.signal }
    await settled(writing, () =>
      request<unknown>(doing, limits(bytes.length), (abortSignal) =>
        ids.length === 0
          ? blob.upload(bytes, bytes.length, { ...headers, abortSignal })
          : blob.commitBlockList(ids, { ...headers, abortSignal }),
      ),
    )
  } catch (error) {
    ending.abort(error)
    await Promise.all(staging.keys())
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

interface Writing {
  readonly blob: BlockBlobClient
  /** What the blob's metadata say when this write made it. */
  readonly id: string
  /** For looking what became of it. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/**
 * Makes the request that makes the blob, and sees to it that the blob is there if, and only if, it resolves: a request
 * can do its work and its answer be lost, and the SDK's next try then finds the blob there.
 */
async function settled(writing: Writing, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!mayHaveWorked(error)) throw error
    const etag = await ownEtag(writing)
    if (etag === undefined) throw error
    if (!writing.signal.aborted) return
    await removeOwn(writing, etag)
    throw error
  }
}

async function removeOwn({ blob, timeout }: Writing, ifMatch: string): Promise<void> {
  try {
    await request(`Removing ${blob.name}`, { timeout }, (abortSignal) =>
      blob.deleteIfExists({ conditions: { ifMatch }, abortSignal }),
    )
  } catch {
    // Who aborted the write hears that it was; what could not be removed now goes with what the job leaves.
  }
}

function mayHaveWorked(error: unknown): boolean {
  const { statusCode } = error instanceof Error ? (error as AzureError) : {}
  return statusCode === undefined || statusCode >= 500 || isAnswer(error, 409, 412)
}

/** The ETag of a blob if this write made it; `undefined` also if nobody can tell. */
async function ownEtag({ blob, id, timeout }: Writing): Promise<string | undefined> {
  try {
    const { metadata, etag } = await request(`Looking at ${blob.name}`, { timeout }, (abortSignal) =>
      blob.getProperties({ abortSignal }),
    )
    return metadata?.[WRITE_ID] === id ? etag : undefined
  } catch {
    // The error that made it necessary to look is on its way.
    return undefined
  }
}

function bytesIn(staging: ReadonlyMap<unknown, number>): number {
  return [...staging.values()].reduce((sum, bytes) => sum + bytes, 0)
}
