import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ExportFailure } from './failure.js'
import { openFolder, prepareFolder, readRecord, reopenFolder, writeRecord } from './output-folder.js'
import type { ExportSettings } from './settings.js'
import {
  type ExportIdentity,
  exportKey,
  findRun,
  keepTransactionTime,
  lastTransactionTime,
  runFolder,
} from './since-state.js'

/** Where the files of a run go, and from when on resources are asked for. */
export interface RunPlace {
  /** The `_since` that follows from the last run. */
  readonly since: string | undefined
  /** Makes the folder for the files of this export, and notes which one it is. @returns its path */
  begin(statusUrl: string): Promise<string>
  /** For when all is there and right. */
  complete(transactionTime: string): Promise<void>
}

/**
 * Opens the place before anything is asked of the server, so that no export is begun that nothing can hold.
 *
 * @throws ExportFailure `usage` for a folder that is of no use
 */
export async function openPlace(settings: ExportSettings): Promise<RunPlace> {
  const { base: url, signIn, directory, sinceLast, resume } = settings
  const clientId = signIn.kind === 'backend' ? signIn.clientId : undefined
  const identity: ExportIdentity = { ...settings, url, clientId }
  const key = exportKey(identity)
  if (sinceLast) return runsPlace(directory, identity, resume)
  if (resume === undefined) await prepareFolder(directory)
  else await reopenFolder(directory, resume)
  return {
    since: undefined,
    async begin(statusUrl) {
      await writeRecord(directory, { statusUrl, key })
      return directory
    },
    complete: async () => undefined,
  }
}

/** Each run has a folder of its own. */
async function runsPlace(
  directory: string,
  identity: ExportIdentity,
  resume: string | undefined,
): Promise<RunPlace> {
  await openFolder(directory)
  const key = exportKey(identity)
  const since = await lastTransactionTime(directory, key)
  let folder = resume === undefined ? runFolder(new Date()) : await findRun(directory, resume)
  if (resume !== undefined) {
    // Its time may only count for what it has asked for.
    const record = folder === undefined ? undefined : await readRecord(join(directory, folder))
    if (record?.key !== key) {
      const what = record === undefined ? 'has no run of' : 'has a run with other options of'
      throw new ExportFailure(
        'usage',
        `The folder ${directory} ${what} ${resume}. Say the options that it had.`,
      )
    }
  }
  return {
    since,
    async begin(statusUrl) {
      folder ??= runFolder(new Date())
      const own = join(directory, folder)
      await mkdir(own, { recursive: true, mode: 0o700 })
      await writeRecord(own, { statusUrl, key })
      return own
    },
    complete: (transactionTime) =>
      keepTransactionTime(directory, identity, { transactionTime, folder: folder ?? '' }),
  }
}
