import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { FhirResource } from 'fhir/r4.js'

/** How many characters of a file are gathered before they are handed to its stream. */
const BLOCK = 1 << 16

/** How many bytes may wait for the disk or the compressor, so that neither it nor the source stands still. */
const WAITING = 1 << 18

const NDJSON_NAME = /\.ndjson(\.gz)?$/

export interface FileCount {
  readonly name: string
  readonly resources: number
  /** On disk. */
  readonly bytes: number
}

/** The names of the NDJSON files in a folder; none when the folder does not exist. */
export async function ndjsonFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NDJSON_NAME.test(name)).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Removes the files that `writeFolder` may have written for these types, compressed or not, and no other. */
export async function clearFolder(folder: string, types: readonly string[]): Promise<void> {
  const names = types.flatMap((type) => [`${type}.ndjson`, `${type}.ndjson.gz`])
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })))
}

/**
 * Writes each resource as one line of the file of its type, `Type.ndjson` or `Type.ndjson.gz`. The files begin empty and
 * are made as their types turn up. Memory stays bounded: a slow disk slows the source down. When this rejects, what is
 * written so far stays.
 */
export async function writeFolder(
  folder: string,
  resources: Iterable<FhirResource>,
  options: { readonly gzip?: boolean } = {},
): Promise<FileCount[]> {
  await mkdir(folder, { recursive: true })
  const files = new Map<string, NdjsonFile>()
  try {
    for (const resource of resources) {
      let file = files.get(resource.resourceType)
      if (file === undefined) {
        file = new NdjsonFile(folder, resource.resourceType, options.gzip ?? false)
        files.set(resource.resourceType, file)
      }
      if (file.add(resource)) await file.flush()
    }
    const counts = await Promise.all([...files.values()].map((file) => file.end()))
    return counts.sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    for (const file of files.values()) file.destroy()
    throw error
  }
}

/** One open file. */
class NdjsonFile {
  readonly #name: string
  readonly #out: ReturnType<typeof createWriteStream>
  readonly #head: Writable
  readonly #done: Promise<void>
  readonly #failure = new AbortController()
  #block = ''
  #resources = 0

  constructor(folder: string, type: string, gzip: boolean) {
    this.#name = gzip ? `${type}.ndjson.gz` : `${type}.ndjson`
    this.#out = createWriteStream(join(folder, this.#name), { highWaterMark: WAITING })
    const compressor = gzip ? createGzip({ level: 4 }) : undefined
    this.#head = compressor ?? this.#out
    this.#done = compressor ? pipeline(compressor, this.#out) : finished(this.#out)
    this.#done.catch((error) => this.#failure.abort(error))
  }

  /** True when it is time to flush. */
  add(resource: FhirResource): boolean {
    this.#block += `${JSON.stringify(resource)}\n`
    this.#resources++
    return this.#block.length >= BLOCK
  }

  /** Hands the gathered lines to the stream, and waits while the stream has enough to do. */
  async flush(): Promise<void> {
    const block = this.#block
    this.#block = ''
    this.#failure.signal.throwIfAborted()
    if (this.#head.write(block)) return
    try {
      await once(this.#head, 'drain', { signal: this.#failure.signal })
    } catch (error) {
      this.#failure.signal.throwIfAborted()
      throw error
    }
  }

  async end(): Promise<FileCount> {
    this.#head.end(this.#block)
    await this.#done
    return { name: this.#name, resources: this.#resources, bytes: this.#out.bytesWritten }
  }

  destroy(): void {
    this.#head.destroy()
    this.#out.destroy()
  }
}
