import type { Logger } from 'winston'
import { describeError, ExportError } from '../errors.js'
import { ContainerError, type ExportStorage } from '../storage/export-storage.js'
import { untilAborted } from '../until-aborted.js'
import { folderName } from './export-folder.js'
import type { ExportJob } from './model.js'
import { unusableStorage } from './storage-probe.js'

/** In ms; a storage that hangs is not usable. */
const LONGEST_WAIT = 30_000

/**
 * The folder that a new export gets on the storage, in a container that is ready if the storage has containers. A
 * wrong container is refused however lenient the handling: files must not be where the client does not look for them.
 *
 * @param container the one that the client has picked
 * @throws ExportError 400 for one that there is not, 503 when the storage fails; the log has the cause
 */
export async function openFolder(
  job: Pick<ExportJob, '_id' | 'transactionTime'>,
  container: string | undefined,
  { containers }: ExportStorage,
  logger: Logger,
): Promise<string> {
  const folder = folderName(job)
  if (containers === undefined) return folder
  try {
    const opened = await untilAborted(() => containers.open(container, folder), { timeout: LONGEST_WAIT })
    return `${opened}/${folder}`
  } catch (error) {
    if (error instanceof ContainerError) throw wrongContainer(error, container)
    logger.error('storage.unusable', { error: describeError(error) })
    throw unusableStorage()
  }
}

function wrongContainer(cause: ContainerError, picked: string | undefined): ExportError {
  const code = picked === undefined ? 'required' : 'value'
  return new ExportError(400, `_container: ${cause.message}`, { code, expression: '_container', cause })
}
