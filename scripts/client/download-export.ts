import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Send } from './bulk-client.js'
import { type Display, QUIET } from './display.js'
import { asFailure, ExportFailure } from './failure.js'
import { type CheckedFile, type CheckLevel, checkFile, FileMismatch } from './file-check.js'
import { downloadFile } from './file-download.js'
import { type PlannedFile, planFiles } from './file-plan.js'
import type { FileKind, WholeManifest } from './manifest.js'
import type { ServerIssue } from './operation-outcome.js'
import { diskProblem } from './output-folder.js'
import { partFile, sizeOf } from './part-file.js'

export interface DownloadOptions {
  /** Gets a file, with or without a token. */
  readonly send: Send
  readonly directory: string
  /** How many files are loaded at the same time; default 4. */
  readonly parallel?: number
  /** How often in a row a download may break off without a byte more; default 0. */
  readonly retries?: number
  readonly signal?: AbortSignal
  /** How closely files are looked at; default `lines`. Those with errors always are. */
  readonly check?: CheckLevel
  /** Whether no resource may come twice; that takes memory for each of them. Default false. */
  readonly unique?: boolean
  readonly display?: Display
}

/** What was downloaded of one resource type. */
export interface TypeSummary {
  readonly type: string
  readonly files: number
  readonly resources: number
  readonly bytes: number
}

/** What is in the folder after a download. */
export interface Downloaded {
  /** The output files by type, in the order of the manifest. */
  readonly types: readonly TypeSummary[]
  readonly deleted: FileSum
  readonly error: FileSum
  /** What the `error` files say. */
  readonly issues: readonly ServerIssue[]
  /** How many files were there already. */
  readonly reused: number
}

/** Files, lines and bytes of one kind of file. */
export interface FileSum {
  readonly files: number
  readonly lines: number
  readonly bytes: number
}

interface DoneFile extends CheckedFile {
  readonly file: PlannedFile
  readonly wasThere: boolean
}

/**
 * Downloads all files of a manifest into a folder and checks them. A file gets its name once it is whole and right; one
 * that is there already and right is not loaded again, and one that is there in part is gone on with.
 *
 * @throws ExportFailure `download` naming the file and what is wrong with it
 */
export async function downloadExport(manifest: WholeManifest, options: DownloadOptions): Promise<Downloaded> {
  const { directory, display = QUIET, parallel = 4, unique = false } = options
  const files = planFiles(manifest)
  for (const folder of new Set([directory, ...files.map(({ name }) => dirname(join(directory, name)))])) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  display.files(files.length)
  // The first that fails ends the others, and they leave what they have for the next time.
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const seen = unique ? new Set<string>() : undefined
  const done: DoneFile[] = []
  const waiting = files.entries()
  const loader = async () => {
    for (const [index, file] of waiting) {
      const checked = await loadFile(file, { ...options, signal }, seen)
      display.fileDone(file.name, checked.lines, checked.bytes, checked.wasThere)
      done[index] = { ...checked, file }
    }
  }
  const loaders = Array.from({ length: Math.min(parallel, files.length) }, () =>
    loader().catch((error: unknown) => {
      stop.abort(error)
      throw error
    }),
  )
  const ended = await Promise.allSettled(loaders)
  options.signal?.throwIfAborted()
  if (ended.some(({ status }) => status === 'rejected')) throw stop.signal.reason
  return summaryOf(done)
}

async function loadFile(
  file: PlannedFile,
  options: DownloadOptions & { readonly signal: AbortSignal },
  seen: Set<string> | undefined,
): Promise<CheckedFile & { readonly wasThere: boolean }> {
  const { directory, check: level = 'lines', retries = 0, signal, display = QUIET, send } = options
  const path = join(directory, file.name)
  const part = partFile(path)
  const check = (place: string) =>
    checkFile(place, file, { level: file.kind === 'error' ? 'lines' : level, seen })
  const load = () =>
    downloadFile(file.url, part, {
      ...{ send, signal, retries },
      onBytes: (bytes, total) => display.file(file.name, bytes, total ?? file.extension?.bytes),
      onRetry: (text) => display.note(`${file.name}: ${text}`),
    })
  try {
    signal.throwIfAborted()
    if ((await sizeOf(path)) > 0) {
      const there = await unlessMismatch(check(path))
      if (there !== undefined) return { ...there, wasThere: true }
      display.note(`${file.name} is there, but not right, and is loaded again`)
    }
    const { isContinued } = await load()
    let checked = isContinued ? await unlessMismatch(check(part.path)) : await check(part.path)
    if (checked === undefined) {
      display.note(`${file.name} was gone on with and is not right, and is loaded again from its beginning`)
      await part.begin(undefined)
      await load()
      checked = await check(part.path)
    }
    await part.finish()
    return { ...checked, wasThere: false }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof FileMismatch) {
      await part.reject()
      const what = `${file.name} is not what the manifest promises: ${error.message}.`
      throw new ExportFailure('download', `${what} It is kept as ${file.name}.rejected.`, { cause: error })
    }
    throw named(file.name, diskProblem(error, directory) ?? error)
  }
}

async function unlessMismatch(check: Promise<CheckedFile>): Promise<CheckedFile | undefined> {
  try {
    return await check
  } catch (error) {
    if (error instanceof FileMismatch) return undefined
    throw error
  }
}

function named(name: string, error: unknown): ExportFailure {
  const { ending, message } = asFailure('download', error)
  return new ExportFailure(ending, `${name}: ${message}`, { cause: error })
}

function summaryOf(done: readonly DoneFile[]): Downloaded {
  const types = new Map<string, TypeSummary>()
  for (const { file, lines, bytes } of done) {
    if (file.kind !== 'output') continue
    const type = file.type ?? 'not told'
    const sum = types.get(type) ?? { type, files: 0, resources: 0, bytes: 0 }
    types.set(type, {
      ...{ type, files: sum.files + 1 },
      ...{ resources: sum.resources + lines, bytes: sum.bytes + bytes },
    })
  }
  const sumOf = (kind: FileKind): FileSum => {
    const own = done.filter(({ file }) => file.kind === kind)
    const sum = (of: (each: DoneFile) => number) => own.reduce((total, each) => total + of(each), 0)
    return { files: own.length, lines: sum(({ lines }) => lines), bytes: sum(({ bytes }) => bytes) }
  }
  return {
    types: [...types.values()],
    ...{ deleted: sumOf('deleted'), error: sumOf('error') },
    issues: done.filter(({ file }) => file.kind === 'error').flatMap(({ issues }) => issues),
    reused: done.filter(({ wasThere }) => wasThere).length,
  }
}
