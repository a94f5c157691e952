import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { codeOf, ExportFailure } from './failure.js'

/** In the folder of an export, from its kick-off on: which one it is. */
const RECORD = '.bulk-export.json'
/** While a process works there. */
export const LOCK = '.bulk-export.lock'

const recordSchema = z.object({ statusUrl: z.string(), key: z.string() })

/** Which export a folder belongs to. */
export interface FolderRecord {
  readonly statusUrl: string
  /** What was asked for, see `exportKey`. */
  readonly key: string
}

/**
 * Makes the folder of a new export. Folders are made for their owner only, since they hold patients' data.
 *
 * @throws ExportFailure `usage` when there is something in it, or it cannot be written
 */
export async function prepareFolder(directory: string): Promise<void> {
  const [found] = await openFolder(directory)
  if (found !== undefined) {
    throw new ExportFailure(
      'usage',
      `The folder ${directory} is not empty (it has ${found}). Name another one by --out; ` +
        'an export that was begun there goes on with --resume STATUS_URL.',
    )
  }
}

/**
 * Opens the folder of an export that is gone on with; an empty one will do, for files from the beginning.
 *
 * @throws ExportFailure `usage` when it belongs to another export, or cannot be written
 */
export async function reopenFolder(directory: string, statusUrl: string): Promise<void> {
  const names = await openFolder(directory)
  if (names.length === 0) return
  const record = await readRecord(directory)
  if (record?.statusUrl === statusUrl) return
  throw new ExportFailure(
    'usage',
    `The folder ${directory} ${record ? 'belongs to another export' : 'has other files'}. ` +
      'Name the one that the export was begun in, or an empty one, by --out.',
  )
}

/** Makes a folder if need be, and sees whether it can be written. @returns what is in it, but for the lock */
export async function openFolder(directory: string): Promise<readonly string[]> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const names = await readdir(directory)
    const probe = join(directory, '.bulk-export-probe')
    await writeFile(probe, '')
    await rm(probe)
    return names.filter((name) => name !== LOCK)
  } catch (error) {
    throw new ExportFailure('usage', diskProblem(error, directory)?.message ?? String(error), {
      cause: error,
    })
  }
}

export async function writeRecord(directory: string, record: FolderRecord): Promise<void> {
  await writeWhole(join(directory, RECORD), `${JSON.stringify(record, undefined, 2)}\n`)
}

/** @returns `undefined` for a folder that belongs to no export */
export async function readRecord(directory: string): Promise<FolderRecord | undefined> {
  try {
    return recordSchema.safeParse(JSON.parse(await readFile(join(directory, RECORD), 'utf8'))).data
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '') || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Writes a file at once: whoever reads it finds the old content or the new, never a part. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const draft = `${path}.new`
  await writeFile(draft, content, { mode: 0o600, flush: true })
  await rename(draft, path)
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOSPC: 'is on a disk that is full. Make room, then go on with --resume',
  EDQUOT: 'is over the quota of its disk. Make room, then go on with --resume',
  EFBIG: 'may not have a file as large as this. Raise the limit, then go on with --resume',
  EACCES: 'cannot be written: there is no permission. Change its rights, or name another one by --out',
  EPERM: 'cannot be written: there is no permission. Change its rights, or name another one by --out',
  EROFS: 'is on a disk that cannot be written. Name another one by --out',
  ENOTDIR: 'is not a folder. Name another one by --out',
  EEXIST: 'is not a folder. Name another one by --out',
  EIO: 'is on a disk that fails',
  EMFILE: 'cannot be written: too many files are open. Load fewer at the same time by --parallel',
}

/** What a system error about a folder means; `undefined` for any other error. */
export function diskProblem(error: unknown, directory: string): ExportFailure | undefined {
  const problem = PROBLEMS[codeOf(error) ?? '']
  if (problem === undefined) return undefined
  return new ExportFailure('download', `The folder ${directory} ${problem}.`, { cause: error })
}
