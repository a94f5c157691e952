import { join } from 'node:path'
import { BulkClientError } from './bulk-client.js'
import { type Connection, connect } from './connection.js'
import type { Display } from './display.js'
import { type Downloaded, downloadExport } from './download-export.js'
import { asFailure, type Ending, ExportFailure, messageOf } from './failure.js'
import { lockFolder } from './folder-lock.js'
import { kickOffRequest } from './kick-off.js'
import { type WholeManifest, wholeManifest } from './manifest.js'
import { diskProblem, openFolder, writeWhole } from './output-folder.js'
import { openPlace, type RunPlace } from './run-place.js'
import type { ExportSettings } from './settings.js'

export interface RunOptions {
  readonly display: Display
  /** Ends the run; its reason is thrown. */
  readonly signal: AbortSignal
  /** Is told the status URL as soon as it is known. */
  onAccepted(statusUrl: string): void
}

/** A run that came to its end. */
export interface ExportResult extends Downloaded {
  readonly ending: 'complete' | 'withErrors'
  readonly statusUrl: string
  readonly directory: string
  readonly transactionTime: string
  /** Whether the export was deleted on the server. */
  readonly isDeleted: boolean
}

/**
 * Runs an export from the kick-off, or from where an earlier run has left it, to files that are checked.
 *
 * With `--since-last` the time of the export is kept at the very end: a run that fails before is repeated, and nothing
 * is lost. So is one with errors, unless they are accepted.
 *
 * @throws ExportFailure
 */
export async function runExport(settings: ExportSettings, options: RunOptions): Promise<ExportResult> {
  const connection = await connect(settings, options.signal, options.display.note)
  await openFolder(settings.directory)
  const unlock = await lockFolder(settings.directory)
  try {
    return await runIn(await openPlace(settings), settings, connection, options)
  } finally {
    await unlock()
  }
}

async function runIn(
  place: RunPlace,
  settings: ExportSettings,
  connection: Connection,
  options: RunOptions,
): Promise<ExportResult> {
  const { display, signal, onAccepted } = options
  const statusUrl =
    settings.resume ?? (await step('refused', () => kickOff(settings, connection, place.since)))
  onAccepted(statusUrl)
  const directory = await stored(settings.directory, () => place.begin(statusUrl))
  const manifest = await step('failed', () => waitFor(statusUrl, settings, connection, options))
  const { withToken, plain } = connection.transport
  const downloaded = await downloadExport(manifest, {
    ...{ directory, signal, display, check: settings.verify },
    ...{ parallel: settings.parallel, retries: settings.retries },
    send: manifest.requiresAccessToken ? withToken : plain,
  })
  await stored(directory, () => {
    return writeWhole(join(directory, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  })
  const { transactionTime } = manifest
  const hasErrors = downloaded.issues.some(({ severity }) => ['error', 'fatal'].includes(severity))
  const ending = hasErrors && !settings.acceptErrors ? 'withErrors' : 'complete'
  if (ending === 'complete') await stored(settings.directory, () => place.complete(transactionTime))
  const isDeleted = settings.delete && ending === 'complete' && (await remove(statusUrl, connection, display))
  return { ...downloaded, ending, statusUrl, directory, transactionTime, isDeleted }
}

/** Deletes an export that nobody waits for any more; has ten seconds for it. @throws ExportFailure */
export async function cancelExport(settings: ExportSettings, statusUrl: string): Promise<void> {
  const { client } = await connect(settings, AbortSignal.timeout(10_000), () => undefined)
  await step('failed', () => client.remove(statusUrl))
}

function kickOff(
  settings: ExportSettings,
  { client }: Connection,
  since: string | undefined,
): Promise<string> {
  const { base, level, post, lenient } = settings
  const own = since === undefined ? [] : [['_since', since] as const]
  return client.send(kickOffRequest(base, level, [...settings.parameters, ...own], { post, lenient }))
}

async function waitFor(
  statusUrl: string,
  { retries }: ExportSettings,
  { client }: Connection,
  { display, signal }: RunOptions,
): Promise<WholeManifest> {
  const load = (url: string) => client.waitForExport(url, { retries, signal, onProgress: display.exporting })
  return wholeManifest(await load(statusUrl), load)
}

/** The files are here and right: an export that stays until it expires is no failure. */
async function remove(statusUrl: string, { client }: Connection, display: Display): Promise<boolean> {
  try {
    await client.remove(statusUrl)
    return true
  } catch (error) {
    display.note(`the export is still on the server: ${messageOf(error)}`)
    return false
  }
}

async function step<T>(ending: Ending, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isRefusedToken = error instanceof BulkClientError && error.status === 401
    throw asFailure(isRefusedToken ? 'signIn' : ending, error)
  }
}

async function stored<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw (
      diskProblem(error, directory) ?? (error instanceof ExportFailure ? error : asFailure('download', error))
    )
  }
}
