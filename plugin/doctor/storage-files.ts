import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { describeError } from '../errors.js'
import { folderName } from '../jobs/export-folder.js'
import { ContainerError, type ExportStorage } from '../storage/export-storage.js'
import { untilAborted } from '../until-aborted.js'
import type { HostCheck, PlacedRemark } from './host-check.js'

const LINE = '{"resourceType":"Basic","id":"probe"}\n'
/** Of the line above. */
const RANGE = { start: 2, end: 13 }

/**
 * Writes a file as an export does, reads it back, whole and in part, and removes it.
 */
export const storageFiles: HostCheck = {
  name: 'files',
  area: 'storage',
  async run({ host, instructions }) {
    const { storage, logger, options } = host
    const timeout = instructions.stepTimeout
    const step = <T>(work: () => Promise<T>): Promise<T> => untilAborted(work, { timeout })
    const failed = (error: unknown, remark: PlacedRemark): readonly PlacedRemark[] => {
      logger.warn('doctor.storage-failed', { error: describeError(error) })
      return [remark]
    }
    try {
      await step(() => storage.check())
    } catch (error) {
      return failed(error, UNUSABLE)
    }
    const folder = folderName({ _id: randomUUID().replaceAll('-', ''), transactionTime: new Date() })
    let place: string
    try {
      const container = await step(async () => storage.containers?.open(undefined, folder))
      place = container === undefined ? folder : `${container}/${folder}`
    } catch (error) {
      return failed(error, error instanceof ContainerError ? MUST_BE_PICKED : NO_CONTAINER)
    }
    const remarks: PlacedRemark[] = []
    try {
      remarks.push(...(await writeAndRead(storage, `${place}/probe.ndjson`, options.signedUrls, step)))
    } catch (error) {
      remarks.push(...failed(error, UNUSABLE))
    }
    return [...remarks, ...(await removed(storage, place, step).catch((error) => failed(error, LEFT)))]
  },
}

type Step = <T>(work: () => Promise<T>) => Promise<T>

async function writeAndRead(
  storage: ExportStorage,
  key: string,
  signedUrls: number | undefined,
  step: Step,
): Promise<readonly PlacedRemark[]> {
  const started = performance.now()
  const contentType = 'application/fhir+ndjson'
  await step(() => storage.write(key, Readable.from([Buffer.from(LINE)]), { contentType }))
  const whole = await step(async () => textOf(await storage.read(key)))
  const part = await step(async () => textOf(await storage.read(key, RANGE)))
  if (whole !== LINE || part !== LINE.slice(RANGE.start, RANGE.end + 1)) return [WRONG_BYTES]
  const detail = `${Math.round(performance.now() - started)} ms`
  const good: PlacedRemark = { level: 'ok', what: 'A file can be written, read, and read in part.', detail }
  if (signedUrls === undefined || storage.signedUrl === undefined) return [good]
  return [good, await signedUrlRemark(storage, key, step)]
}

/** Reads a file as a client would. Neither the URL nor an error that may have it is told. */
async function signedUrlRemark(storage: ExportStorage, key: string, step: Step): Promise<PlacedRemark> {
  const expires = new Date(Date.now() + 60_000)
  try {
    const url = await step(async () => storage.signedUrl?.(key, expires))
    const response = await step(() => fetch(url ?? ''))
    if ((await step(() => response.text())) === LINE) return { level: 'ok', what: 'Signed URLs give files.' }
    return { ...UNSIGNED, detail: `status ${response.status}` }
  } catch {
    return { ...UNSIGNED, detail: 'no answer' }
  }
}

async function removed(storage: ExportStorage, place: string, step: Step): Promise<readonly PlacedRemark[]> {
  await step(() => storage.removeAll(place))
  const isThere = await step(async () => {
    try {
      await textOf(await storage.read(`${place}/probe.ndjson`))
      return true
    } catch (error) {
      if ((error as { code?: unknown } | null)?.code === 'ENOENT') return false
      throw error
    }
  })
  return isThere ? [LEFT] : [{ level: 'ok', what: 'Files can be removed.' }]
}

async function textOf(stream: Readable): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString()
}

const UNUSABLE: PlacedRemark = {
  level: 'error',
  what: 'The storage takes no files, or does not give them back.',
  cost: 'Kick-offs are refused with 503, and exports under way fail.',
  remedy: 'The log has the reason (doctor.storage-failed): look at rights, room and network.',
}

const NO_CONTAINER: PlacedRemark = { ...UNUSABLE, what: 'The storage makes no container for an export.' }

const MUST_BE_PICKED: PlacedRemark = {
  level: 'notice',
  what: 'Clients have to pick a container, so no file was written to try the storage.',
  cost: 'A kick-off without _container is refused with 400.',
  remedy: 'Name a fallback container, if that is not meant.',
}

const WRONG_BYTES: PlacedRemark = {
  level: 'error',
  what: 'The storage gives other bytes than were written, in whole or in part.',
  cost: 'Clients get broken files.',
  remedy: 'Run the suite storage-suite of this package on the storage.',
}

const LEFT: PlacedRemark = {
  level: 'error',
  what: 'A file that was removed is still there, or could not be removed.',
  cost: 'Files of expired and deleted exports stay; so does the one of this check, probe.ndjson.',
  remedy: 'Give the server the right to remove files on its storage.',
}

const UNSIGNED: PlacedRemark = {
  level: 'error',
  what: 'A signed URL does not give the file.',
  cost: 'Clients cannot download what was exported.',
  remedy:
    'Look at the rights of the identity that signs, and whether this machine reaches the storage as clients do.',
}
