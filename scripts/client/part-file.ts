import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { codeOf } from './failure.js'

/** A file that is not whole yet: `NAME.part`, with the ETag of what it is a part of in `NAME.part.json`. */
export interface PartFile {
  readonly path: string
  /** How many bytes there are; 0 when there is none. */
  size(): Promise<number>
  /** The strong ETag by which the server knows the bytes; `undefined`: they cannot be gone on with. */
  tag(): Promise<string | undefined>
  /** Begins anew, with what the server calls it. */
  begin(tag: string | undefined): Promise<void>
  /** Adds bytes at the end. */
  append(source: AsyncIterable<Uint8Array>): Promise<void>
  /** Gives it its name. */
  finish(): Promise<void>
  /** Puts it aside as `NAME.rejected`, for whoever wants to look at it. */
  reject(): Promise<void>
}

const tagSchema = z.object({ tag: z.string() })

/** @param path what the file is called when it is whole */
export function partFile(path: string): PartFile {
  const part = `${path}.part`
  const note = `${part}.json`
  return {
    path: part,
    size: () => sizeOf(part),
    async tag() {
      const text = await readFile(note, 'utf8').catch(ifMissing('null'))
      try {
        return tagSchema.safeParse(JSON.parse(text)).data?.tag
      } catch {
        return undefined
      }
    },
    async begin(tag) {
      // In this order no bytes are ever beside the tag of others.
      await rm(note, { force: true })
      await writeFile(part, '', { mode: 0o600 })
      if (tag !== undefined) await writeFile(note, JSON.stringify({ tag }), { mode: 0o600 })
    },
    async append(source) {
      const file = await open(part, 'a', 0o600)
      try {
        for await (const chunk of source) await file.appendFile(chunk)
        await file.datasync()
      } finally {
        await file.close()
      }
    },
    async finish() {
      await rename(part, path)
      await rm(note, { force: true })
    },
    async reject() {
      await rename(part, `${path}.rejected`).catch(ifMissing(undefined))
      await rm(note, { force: true })
    },
  }
}

/** In bytes; 0 for a file that is not there. */
export async function sizeOf(path: string): Promise<number> {
  const { size } = await stat(path).catch(ifMissing({ size: 0 }))
  return size
}

/** Takes something else in the place of a file that is not there; any other error stays one. */
function ifMissing<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (codeOf(error) === 'ENOENT') return instead
    throw error
  }
}
