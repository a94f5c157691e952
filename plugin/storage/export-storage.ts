import type { Readable } from 'node:stream'

/**
 * Where output files live. Keys are relative paths with `/` between their segments, such as
 * `4f…/Patient-1.ndjson`.
 *
 * `write` is all or nothing: until it resolves the key does not exist; if it rejects or is aborted, it still
 * does not. A key that exists is never replaced: `write` rejects. The bytes of a piece are the source's again once the
 * next piece is asked for: a storage that needs them longer keeps a copy.
 */
export interface ExportStorage {
  write(key: string, source: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<void>
  /** The bytes of a key, from `start` up to and including `end`. Rejects with code `ENOENT` when there is none. */
  read(key: string, range?: ByteRange): Promise<Readable>
  /** Removes all keys that begin with the prefix, and nothing else; none at all is fine. */
  removeAll(prefix: string): Promise<void>
  /**
   * Removes all keys that begin with the prefix and a `/` but these, and what was left half-written there. Writes
   * that are under way there may fail.
   */
  removeOthers(prefix: string, keys: ReadonlySet<string>): Promise<void>
  /**
   * Rejects, naming the place and the reason, when files cannot be written, read and removed; leaves nothing. The
   * message is for the operator and never has a credential.
   */
  check(): Promise<void>
  /**
   * A URL that gives the bytes of a key to whoever has it, without any other credential, until it expires. Absent:
   * files of this storage are read through the plugin only.
   */
  signedUrl?(key: string, expires: Date): Promise<string>
  /** Absent: this storage has no containers, and clients can pick none. */
  readonly containers?: Containers
}

/** The containers that exports go to: the first segments of keys. */
export interface Containers {
  /**
   * Decides to which container an export goes, and makes sure that files can be written to keys that begin with its
   * name and a `/`. What it makes for one export alone, `removeAll` of `<container>/<folder>` removes.
   *
   * @param picked the name that the client asks for, as it came; absent: it leaves that to the storage
   * @param folder that the export gets in the container, which no other export has: `20240501T120000Z_` and 32
   *   hexadecimal digits
   * @returns the container's name
   * @throws ContainerError for what the client may not pick; other errors when the storage cannot be used
   */
  open(picked: string | undefined, folder: string): Promise<string>
}

/** A container that an export cannot go to. Its message is for the client that has picked it. */
export class ContainerError extends Error {
  override readonly name = 'ContainerError'
}

export interface WriteOptions {
  readonly contentType?: string
  /** How the bytes are coded, such as `gzip`; absent: not at all. */
  readonly contentEncoding?: string
  readonly signal?: AbortSignal
}

export interface ByteRange {
  readonly start: number
  readonly end?: number
}
