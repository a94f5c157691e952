import { Readable } from 'node:stream'
import type { ExportStorage } from './export-storage.js'
import { GcsBucket } from './gcs-bucket.js'
import { checkStorage } from './gcs-check.js'
import { GcsError } from './gcs-error.js'
import { type GcsStorageOptions, gcsSettings } from './gcs-options.js'
import { signObject } from './gcs-signature.js'
import { uploadObject } from './gcs-upload.js'
import { checkedPrefix, segmentsOf } from './key.js'

export { GcsError } from './gcs-error.js'
export type { GcsStorageOptions } from './gcs-options.js'

/** How many objects are removed at a time. */
const REMOVALS = 16
/** The check is made while a client waits. */
const CHECK_TIMEOUT = 10_000
const CHECK_TRIES = 2

/**
 * Keeps output files as objects of a Google Cloud Storage bucket: key `a/b` is the object `<prefix>/a/b`. Needs the
 * package `@google-cloud/storage`. The identity needs `roles/storage.objectUser` on the bucket, and for signed URLs
 * without a private key `roles/iam.serviceAccountTokenCreator` on itself.
 *
 * A file up to `chunkSize` is written in one request, a larger one by a resumable upload; either way only if there
 * is no such object (`ifGenerationMatch=0`), and only if what arrives has the checksum of what was sent. What is
 * half uploaded is invisible, costs nothing and is forgotten by Google after a week, so that what a killed process
 * left needs no sweep. An abort ends a write at once, except that it waits up to a second for the answer to the
 * very last request, to remove what that may have made. One thing cannot be helped: when the network fails for good
 * just then, nobody learns whether the object was made; `removeOthers` and `removeAll` remove it later.
 *
 * Nothing waits for ever: a server that is silent for `timeout` is given up, and what may pass is tried five times
 * in all (see `GcsRequests`). Errors are `GcsError`s; they have the HTTP status as `statusCode`, and as `code` that
 * of the network error, `ENOENT` or `EEXIST`.
 *
 * @param options or `gs://bucket/prefix`
 * @throws Error that names the option which cannot be used
 */
export function gcsStorage(options: GcsStorageOptions | string | URL): ExportStorage {
  const settings = gcsSettings(options)
  const bucket = new GcsBucket(settings)
  const place = bucket.place(settings.prefix)
  const storage = storageOn(bucket)
  return {
    ...storage,
    check: () => checkStorage(storageOn(bucket.hasty(CHECK_TIMEOUT, CHECK_TRIES)), place),
    /**
     * A V4 URL for GET. At most 7 days, the vendor's limit.
     * @throws RangeError for more, or for less than a second; GcsError when nothing can be signed
     */
    signedUrl: async (key, expires) => signObject(settings, nameOf(settings.prefix, key), expires),
  }
}

function storageOn(bucket: GcsBucket): Omit<ExportStorage, 'check' | 'signedUrl'> {
  const { prefix } = bucket.settings
  const removeIf = async (under: string, isRemoved: (name: string) => boolean) => {
    for await (const names of bucket.names(`${under}/`)) {
      await atATime(names.filter(isRemoved), (name) => bucket.remove(name))
    }
  }
  return {
    async write(key, source, options = {}) {
      await uploadObject(bucket, nameOf(prefix, key), source, options)
    },
    async read(key, range) {
      const name = nameOf(prefix, key)
      const answer = await bucket.media(name, range).catch((error: unknown) => {
        throw isMissing(error) ? new GcsError(error.message, { code: 'ENOENT', statusCode: 404 }) : error
      })
      if (answer.statusCode !== 416) return answer
      answer.resume()
      return Readable.from([])
    },
    async removeAll(given) {
      const name = nameOf(prefix, checkedPrefix(given))
      await bucket.remove(name)
      await removeIf(name, () => true)
    },
    async removeOthers(given, keys) {
      const kept = new Set([...keys].map((key) => nameOf(prefix, key)))
      await removeIf(nameOf(prefix, checkedPrefix(given)), (name) => !kept.has(name))
    },
  }
}

/** @throws Error for what is no storage key, or too long with the prefix */
function nameOf(prefix: string, key: string): string {
  segmentsOf(key)
  const name = prefix === '' ? key : `${prefix}/${key}`
  segmentsOf(name)
  return name
}

function isMissing(error: unknown): error is GcsError {
  return error instanceof GcsError && error.statusCode === 404
}

/** Ends with the first error, and then begins no more. */
async function atATime(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const left = [...names]
  const takeTurns = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      try {
        await work(name)
      } catch (error) {
        left.length = 0
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: REMOVALS }, takeTurns))
}
