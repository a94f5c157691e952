import { randomUUID } from 'node:crypto'
import { type FileHandle, link, mkdir, open, readdir, rm, rmdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { abortable } from './abortable.js'
import type { ExportStorage } from './export-storage.js'
import { checkedPrefix, segmentsOf } from './key.js'

/**
 * Keeps output files in a folder of the local disk (or of a file system that all workers share). A file is
 * written under a temporary name beside its place, flushed, and linked to its name, so that a reader or a crash
 * never sees half of one.
 *
 * @param directory an absolute or relative path, or a `file:` URL; made if it does not exist
 */
export function fileStorage(directory: string | URL): ExportStorage {
  const root = resolve(toPath(directory))
  const pathOf = (key: string) => join(root, ...segmentsOf(key))
  const storage: ExportStorage = {
    async write(key, source, { signal } = {}) {
      const path = pathOf(key)
      const folder = dirname(path)
      const temporary = join(folder, `.${randomUUID()}.part`)
      try {
        await writeAll(source, await openIn(folder, temporary), signal)
        // A link, unlike a rename, refuses to replace what is there.
        await link(temporary, path)
      } finally {
        await rm(temporary, { force: true })
      }
      try {
        await syncFolder(folder)
      } catch (error) {
        await rm(path, { force: true })
        throw error
      }
    },
    async read(key, range) {
      const path = pathOf(key)
      const file = await open(path, 'r')
      if ((await file.stat()).isFile()) return file.createReadStream({ ...range })
      await file.close()
      throw Object.assign(new Error(`There is no file ${path}.`), { code: 'ENOENT' })
    },
    async removeAll(prefix) {
      const path = pathOf(checkedPrefix(prefix))
      // Another worker may put a file into the folder at the same moment.
      await rm(path, { recursive: true, force: true, maxRetries: 5 })
      await removeEmpty(dirname(path), root)
    },
    async removeOthers(prefix, keys) {
      const folder = pathOf(checkedPrefix(prefix))
      const kept = new Set([...keys].map(pathOf))
      for (const path of await filesIn(folder)) if (!kept.has(path)) await rm(path, { force: true })
    },
    async check() {
      const probe = `probe-${randomUUID()}`
      try {
        await storage.write(probe, Readable.from([Buffer.from('probe')]))
        await unlink(pathOf(probe))
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`The export folder ${root} is not writable: ${reason}`, { cause })
      }
    },
  }
  return storage
}

function toPath(directory: string | URL): string {
  return directory instanceof URL || directory.startsWith('file:') ? fileURLToPath(directory) : directory
}

/** Opens a new file, again when its folder is removed at the moment between. */
async function openIn(folder: string, path: string): Promise<FileHandle> {
  for (let tries = 1; ; tries += 1) {
    await mkdir(folder, { recursive: true })
    try {
      return await open(path, 'wx')
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || tries === 10) throw error
    }
  }
}

/** The paths of all files in a folder and below it; none when it is not there. */
async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

/** Removes a folder that has nothing in it, and those above it, below the root. */
async function removeEmpty(folder: string, root: string): Promise<void> {
  if (folder === root || !folder.startsWith(root)) return
  try {
    await rmdir(folder)
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return
    if (!hasCode(error, 'ENOENT')) throw error
  }
  await removeEmpty(dirname(folder), root)
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/**
 * So many bytes are flushed at a time while a file is written. Otherwise they would be at its end, all at once, and the
 * journal of a database on the same disk would have to wait for them.
 */
const FLUSHED = 8 * 1024 * 1024

/** Writes all bytes of a source and flushes them. */
async function writeAll(
  source: AsyncIterable<Uint8Array>,
  file: FileHandle,
  signal: AbortSignal | undefined,
): Promise<void> {
  let unflushed = 0
  let flushing: Promise<void> | undefined
  try {
    for await (const piece of abortable(source, signal)) {
      await writePiece(piece, file)
      unflushed += piece.length
      if (unflushed < FLUSHED) continue
      await flushing
      unflushed = 0
      flushing = file.datasync()
      // Whoever waits for it is told; nobody may be left to wait.
      flushing.catch(() => undefined)
    }
    await flushing
    await file.sync()
  } finally {
    await flushing?.catch(() => undefined)
    await file.close()
  }
}

/** A system may take less of a piece than it is given. */
async function writePiece(piece: Uint8Array, file: FileHandle): Promise<void> {
  for (let start = 0; start < piece.length; ) {
    const { bytesWritten } = await file.write(piece, start)
    start += bytesWritten
  }
}

/** Makes the new name itself survive a power failure; some file systems have no such thing. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error
  } finally {
    await handle.close()
  }
}
