import { createHash, type Hash } from 'node:crypto'
import { pipeline } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { Logger } from 'winston'
import type { ExportStorage } from '../storage/export-storage.js'
import { fileKey } from './export-folder.js'
import type { ExportJobs, HeldTask } from './export-jobs.js'
import { blaming } from './failure-reason.js'
import { aboutTask, totalOf } from './log-fields.js'
import type { Metrics } from './metrics.js'
import type { FileKind, OutputFile } from './model.js'
import type { Part } from './output.js'
import { type Throttle, throttled } from './throttle.js'

export interface WriterDependencies {
  readonly jobs: ExportJobs
  readonly storage: ExportStorage
  readonly logger: Logger
  readonly metrics: Metrics
  /** Whether files are kept compressed. */
  readonly compress: boolean
  /** Whether their hashes are recorded. */
  readonly hashes: boolean
  /** Default: as fast as it goes. */
  readonly throttle?: Throttle | undefined
}

/** Where the lines of a part go; what could not be written goes to the `error` files. */
export interface PartTarget {
  /** Prefix of the keys. */
  readonly folder: string
  readonly kind: FileKind
  /** What the names of the files begin with. */
  readonly stem: string
}

/** Another attempt, a cancel or a failure elsewhere took the task away. */
export class LostTask extends Error {}

/**
 * Writes the files of a part, and then the checkpoint that makes them count, both at once.
 *
 * @returns the files that count now
 * @throws LostTask when the task is no longer the caller's; then, as after any failure to write, nothing of the part
 * is left
 */
export async function writePart(
  part: Part,
  { folder, kind, stem }: PartTarget,
  task: HeldTask,
  dependencies: WriterDependencies,
  signal: AbortSignal,
): Promise<readonly OutputFile[]> {
  const { jobs, storage, logger, metrics, compress, hashes, throttle } = dependencies
  const about = aboutTask(task)
  const files: OutputFile[] = []
  const write = async (
    as: Omit<PartTarget, 'folder'>,
    lines: AsyncIterable<Uint8Array>,
    size: Part['size'],
  ) => {
    const number = await jobs.nextFileNumber(task, as.stem)
    if (number === undefined) throw new LostTask()
    const name = `${as.stem}-${number}.ndjson`
    const started = Date.now()
    const options = { contentType: 'application/fhir+ndjson', signal }
    const sizes = { gzipBytes: 0 }
    const hash = hashes ? createHash('sha256') : undefined
    const paced = throttle ? throttled(lines, size, throttle, signal) : lines
    const plain = hash ? hashed(paced, hash) : paced
    await blaming('storage', async () => {
      if (compress) {
        const key = fileKey(folder, { name, ...sizes })
        await storage.write(key, compressed(plain, sizes), { ...options, contentEncoding: 'gzip' })
      } else await storage.write(fileKey(folder, { name }), plain, options)
    })
    // Final only now that the lines have been drained.
    const sha256 = hash && { sha256: hash.digest('hex') }
    const file = { kind: as.kind, name, ...size, ...(compress ? sizes : {}), ...sha256 }
    files.push(file)
    logger.info('file.written', { ...about, ...file, ms: Date.now() - started })
  }
  try {
    if (part.lines !== undefined) await write({ kind, stem }, part.lines, part.size)
    if (part.problems.length > 0) {
      const bytes = Buffer.from(part.problems.map((problem) => `${JSON.stringify(problem)}\n`).join(''))
      const size = { resources: part.problems.length, bytes: bytes.length }
      await write({ kind: 'error', stem: 'error' }, once(bytes), size)
    }
  } catch (error) {
    await removeFiles(folder, files, storage)
    throw error
  }
  if (!(await jobs.commit(task, files, part.position))) {
    await removeFiles(folder, files, storage)
    throw new LostTask()
  }
  metrics.committed(about.exports, files)
  logger.debug('task.saved', { ...about, ...totalOf(files) })
  const { length: resources } = part.problems
  if (resources > 0) logger.warn('resources.failed', { ...about, resources })
  return files
}

async function removeFiles(
  folder: string,
  files: readonly OutputFile[],
  storage: ExportStorage,
): Promise<void> {
  for (const file of files) await storage.removeAll(fileKey(folder, file))
}

/**
 * How NDJSON is compressed: hardly larger at the fastest level than at the others, and sent faster in few large
 * pieces.
 */
export const GZIP = { level: 1, chunkSize: 65_536 }

/** @param sizes is told how many bytes there are in the end */
async function* compressed(
  lines: AsyncIterable<Uint8Array>,
  sizes: { gzipBytes: number },
): AsyncGenerator<Uint8Array> {
  // An error of the lines reaches whoever reads the compressed bytes, and an early end reaches the lines.
  // It takes in pieces before it has worked on those before, whose bytes are no longer ours then.
  const bytes = pipeline(copied(lines), createGzip(GZIP), () => undefined)
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
    sizes.gzipBytes += chunk.length
    yield chunk
  }
}

async function* copied(lines: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of lines) yield Buffer.from(chunk)
}

async function* hashed(lines: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of lines) {
    hash.update(chunk)
    yield chunk
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
