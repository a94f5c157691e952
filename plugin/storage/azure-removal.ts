import type { ContainerClient } from '@azure/storage-blob'
import { isAnswer, request } from './azure-request.js'

/** How many blobs are removed at the same time. */
const CONCURRENCY = 16

/**
 * Removes a blob, or an empty directory, and the uncommitted blocks of a write to it; fine when there is none.
 *
 * @throws AzureError, also for a directory that is not empty
 */
export async function removeBlob(container: ContainerClient, name: string, timeout: number): Promise<void> {
  const blob = container.getBlockBlobClient(name)
  const doing = `Removing ${name}`
  const remove = () =>
    request(doing, { timeout }, (abortSignal) => blob.delete({ deleteSnapshots: 'include', abortSignal }))
  if (await untilMissing(remove)) return
  if (!(await hasUncommitted(container, name, timeout))) return
  // Removing a blob that has uncommitted blocks only is not the same everywhere. To write it drops them.
  await request(doing, { timeout }, (abortSignal) =>
    blob.upload('', 0, { conditions: { ifNoneMatch: '*' }, abortSignal }),
  ).catch((error: unknown) => {
    if (!isAnswer(error, 409, 412)) throw error
  })
  await untilMissing(remove)
}

/**
 * Removes all blobs whose names begin with a prefix, but those kept; also those that were never committed. In an
 * account with a hierarchical namespace directories are blobs too, and go after what is in them.
 */
export async function removeBelow(
  container: ContainerClient,
  prefix: string,
  kept: ReadonlySet<string>,
  timeout: number,
): Promise<void> {
  const pages = container
    .listBlobsFlat({ prefix, includeMetadata: true, includeUncommitedBlobs: true })
    .byPage()
    [Symbol.asyncIterator]()
  const directories: string[] = []
  for (;;) {
    const page = await request(`Listing ${prefix}`, { timeout }, () => pages.next())
    if (page.done) break
    const files: string[] = []
    for (const { name, metadata } of page.value.segment.blobItems) {
      if (isDirectory(metadata)) directories.push(name)
      else if (!kept.has(name)) files.push(name)
    }
    await inParallel(files, (name) => removeBlob(container, name, timeout))
  }
  // The names of those within begin with the name of what they are in, and so are longer.
  for (const name of directories.sort((one, other) => other.length - one.length)) {
    await removeUnlessFull(container, name, timeout)
  }
}

/** Removes a blob or an empty directory; `false` for a directory that is not empty. */
export async function removeUnlessFull(
  container: ContainerClient,
  name: string,
  timeout: number,
): Promise<boolean> {
  try {
    await removeBlob(container, name, timeout)
    return true
  } catch (error) {
    if (isAnswer(error, 'DirectoryIsNotEmpty', 'DirectoryNotEmpty')) return false
    throw error
  }
}

/** Whether metadata are those of a directory. */
export function isDirectory(metadata: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(metadata ?? {}).some(
    ([name, value]) => name.toLowerCase() === 'hdi_isfolder' && value === 'true',
  )
}

async function hasUncommitted(container: ContainerClient, name: string, timeout: number): Promise<boolean> {
  try {
    const { uncommittedBlocks = [] } = await request(`Removing ${name}`, { timeout }, (abortSignal) =>
      container.getBlockBlobClient(name).getBlockList('uncommitted', { abortSignal }),
    )
    return uncommittedBlocks.length > 0
  } catch (error) {
    if (isAnswer(error, 'BlobNotFound')) return false
    throw error
  }
}

/** Whether it was there. */
async function untilMissing(remove: () => Promise<unknown>): Promise<boolean> {
  try {
    await remove()
    return true
  } catch (error) {
    if (isAnswer(error, 'BlobNotFound')) return false
    throw error
  }
}

async function inParallel(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const rest = names.values()
  const worker = async () => {
    for (const name of rest) await work(name)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}
