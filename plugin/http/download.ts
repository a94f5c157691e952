import { pipeline, type Readable, Transform } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import { ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import type { Engine } from '../jobs/engine.js'
import { fileKey, folderOf } from '../jobs/export-folder.js'
import { GZIP } from '../jobs/part-writer.js'
import type { ByteRange, ExportStorage } from '../storage/export-storage.js'
import { prefersGzip } from './accept-encoding.js'
import type { Access } from './access.js'
import { type Slice, sliceOf } from './byte-range.js'
import { findJob, requireTypes } from './export-status.js'
import { errorResponse, type HttpRequest, type HttpResponse } from './message.js'

interface StoredFile {
  readonly key: string
  readonly bytes: number
  /** Size on the storage when it is compressed there. */
  readonly gzipBytes?: number
}

/**
 * Answers GET and HEAD of one output file of a completed export (Bulk Data 3.0.0, "Bulk Data Output File
 * Request"; what the guide leaves to HTTP is as in RFC 9110): 200, compressed when the client would rather
 * have that, 206 with a slice, 304 when the client has the file, or 416. Slices are always of the plain
 * bytes. Only a GET that sends bytes opens the file.
 *
 * The body fails when the storage gives more or fewer bytes than were recorded: a connection that breaks off
 * is all that tells a client so.
 *
 * @throws ExportError 404 for a file that is not there, 403 when the token does not cover its type
 */
export async function downloadFile(
  id: string,
  name: string,
  request: HttpRequest,
  access: Access,
  { engine, storage }: { readonly engine: Engine; readonly storage: ExportStorage },
): Promise<HttpResponse> {
  const file = await findFile(id, name, access, engine)
  const { 'accept-encoding': accepted, 'if-none-match': known, 'if-range': condition } = request.headers
  const isGet = request.method === 'GET'
  const range = isGet ? request.headers['range'] : undefined
  // Files never change, and their names are never given out again.
  const tags = { plain: `"${id}-${name}-${file.bytes}"`, gzip: `"${id}-${name}-${file.bytes}-gzip"` }
  // Plain even if the range is ignored: the client may go on with plain bytes that it has.
  const coding = range === undefined && prefersGzip(accepted) ? 'gzip' : 'plain'
  const common = { ETag: tags[coding], 'Cache-Control': 'private, no-store', Vary: 'Accept-Encoding' }

  const had = known === undefined ? undefined : matchOf(known, tags[coding], Object.values(tags))
  if (had !== undefined) return { status: 304, headers: { ...common, ETag: had } }

  const isCurrent = condition === undefined || condition === tags.plain
  const slice = range !== undefined && isCurrent ? sliceOf(range, file.bytes) : undefined
  if (slice === 'unsatisfiable') return unsatisfiable(file, common, versionOf(request.base))
  const headers = { 'Content-Type': 'application/fhir+ndjson', ...common, ...extent(file, coding, slice) }
  const status = slice === undefined ? 200 : 206
  return isGet ? { status, headers, body: await bodyOf(file, coding, slice, storage) } : { status, headers }
}

async function findFile(id: string, name: string, access: Access, engine: Engine): Promise<StoredFile> {
  const job = await findJob(id, access, engine)
  const tasks = job.status === 'completed' ? await engine.jobs.tasks(id) : []
  const task = tasks.find(({ files }) => files.some((candidate) => candidate.name === name))
  const file = task?.files.find((candidate) => candidate.name === name)
  if (task === undefined || file === undefined) {
    throw new ExportError(404, 'There is no such file.', { code: 'not-found' })
  }
  // Other files than output name resources of any type.
  requireTypes(file.kind === 'output' && task.type !== undefined ? [task.type] : job.types, access)
  const { bytes, gzipBytes } = file
  return { key: fileKey(folderOf(job), file), bytes, ...(gzipBytes === undefined ? {} : { gzipBytes }) }
}

/**
 * The tag by which a client knows the file (RFC 9110, 13.1.2), for `*` the one it would get. Either coding
 * will do: both are the same file, and it keeps what it has.
 */
function matchOf(known: string, own: string, tags: readonly string[]): string | undefined {
  if (known.trim() === '*') return own
  const listed: readonly string[] = known.match(/"[^"]*"/g) ?? []
  return listed.includes(own) ? own : tags.find((tag) => listed.includes(tag))
}

function unsatisfiable(
  { bytes }: StoredFile,
  headers: Readonly<Record<string, string>>,
  version: string,
): HttpResponse {
  const error = new ExportError(416, `The range lies outside of the file, which has ${bytes} bytes.`, {
    code: 'value',
    expression: 'Range',
  })
  const { ETag: _, ...others } = headers
  const answer = errorResponse(error, version)
  return {
    ...answer,
    headers: { ...answer.headers, ...others, 'Accept-Ranges': 'bytes', 'Content-Range': `bytes */${bytes}` },
  }
}

/** The headers that say which bytes follow. */
function extent(
  { bytes, gzipBytes }: StoredFile,
  coding: 'plain' | 'gzip',
  slice: Slice | undefined,
): Readonly<Record<string, string>> {
  if (coding === 'gzip') {
    const length = gzipBytes === undefined ? {} : { 'Content-Length': String(gzipBytes) }
    return { 'Content-Encoding': 'gzip', ...length }
  }
  if (slice === undefined) return { 'Accept-Ranges': 'bytes', 'Content-Length': String(bytes) }
  const { start, end } = slice
  return {
    'Accept-Ranges': 'bytes',
    'Content-Length': String(end - start + 1),
    'Content-Range': `bytes ${start}-${end}/${bytes}`,
  }
}

/** Closing the body, at whatever point, closes what the storage opened for it. */
async function bodyOf(
  { key, bytes, gzipBytes }: StoredFile,
  coding: 'plain' | 'gzip',
  slice: Slice | undefined,
  storage: ExportStorage,
): Promise<Readable> {
  if (gzipBytes === undefined) {
    const length = slice === undefined ? bytes : slice.end - slice.start + 1
    const plain = pipeline(await read(key, slice, storage), exactly(length), ignore)
    return coding === 'gzip' ? pipeline(plain, createGzip(GZIP), ignore) : plain
  }
  const stored = pipeline(await read(key, undefined, storage), exactly(gzipBytes), ignore)
  if (coding === 'gzip') return stored
  const plain = pipeline(stored, createGunzip(), exactly(bytes), ignore)
  return slice === undefined ? plain : pipeline(plain, only(slice), ignore)
}

/** What is decompressed has to be gone through from its beginning. */
function only({ start, end }: Slice): Transform {
  let passed = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      const part = chunk.subarray(Math.max(0, start - passed), Math.max(0, end + 1 - passed))
      passed += chunk.length
      done(null, part)
    },
  })
}

/** An error reaches whoever reads the last stream of a pipeline anyway. */
const ignore = () => undefined

async function read(key: string, range: ByteRange | undefined, storage: ExportStorage): Promise<Readable> {
  try {
    return await storage.read(key, range)
  } catch (cause) {
    // It may have been deleted since the job was looked at.
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause
    throw new ExportError(404, 'There is no such file any more.', { code: 'not-found', cause })
  }
}

/** Passes bytes on, and fails when there are more or fewer of them than were recorded. */
function exactly(expected: number): Transform {
  let found = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      found += chunk.length
      if (found > expected) done(new Error(`The storage gave more than the ${expected} bytes of a file.`))
      else done(null, chunk)
    },
    flush(done) {
      done(found === expected ? null : new Error(`The storage gave ${found} of ${expected} bytes of a file.`))
    },
  })
}
