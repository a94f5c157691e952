import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { unusable } from './azure-check.js'
import {
  type AzureEnvironment,
  type AzurePlaceOptions,
  azurePlace,
  azurePlaceOptions,
} from './azure-place.js'
import { download } from './azure-read.js'
import { removeBelow, removeBlob, removeUnlessFull } from './azure-removal.js'
import { urlSigner } from './azure-signing.js'
import { upload } from './azure-upload.js'
import type { ExportStorage } from './export-storage.js'
import { checkedPrefix, segmentsOf } from './key.js'

export type { AzureEnvironment, AzurePlaceOptions, AzureTokenCredential } from './azure-place.js'

/** Where files go, and how they get there. */
export interface AzureStorageOptions extends AzurePlaceOptions {
  /** The encryption scope of what is written. Default: that of the container. */
  readonly encryptionScope?: string
  /** `Hot`, `Cool` or `Cold`. Default: that of the account. */
  readonly accessTier?: string
  /** In bytes, 8 MB by default; twice that after each 10,000 blocks of a file. Files up to it take one request. */
  readonly blockSize?: number
  /** How many blocks of a file are on their way at the same time; 4 by default. Memory is their size and one more. */
  readonly concurrency?: number
  /**
   * How long a request may take with all its tries, in ms: a minute by default. Uploads get what their bytes need at
   * 128 kB/s on top. A stream that is read fails after the same time of silence.
   */
  readonly timeout?: number
}

/**
 * Keeps output files in a container of Azure Blob Storage, or of Azure Data Lake Storage Gen2.
 *
 * Large files are staged in blocks and committed when all are there. Azure cannot drop the blocks of a failed write
 * without making their key visible for a moment: they are no blob, cannot be read, and go with the next
 * `removeOthers` or `removeAll`, or by themselves after a week. Requests are tried four times within some five seconds
 * when the service cannot be reached or is busy (a `client` tries as it was made to).
 *
 * Errors have the service's `code` and `statusCode`, and never a credential. `signedUrl` is there with an account key
 * (any expiry) or an identity (no later than a week from now: the service allows no more); with a shared access
 * signature it is absent.
 *
 * @param place the options, or a URL `azure://container/folder`
 * @param environment what a URL is resolved with; the program's `process.env` will do
 * @throws Error for options that name no place, or more than one
 */
export function azureStorage(
  place: AzureStorageOptions | string | URL,
  environment: AzureEnvironment = {},
): ExportStorage {
  const options: AzureStorageOptions =
    typeof place === 'string' || place instanceof URL ? azurePlaceOptions(place, environment) : place
  const { blockSize = 8 * 1024 * 1024, concurrency = 4, timeout = 60_000 } = options
  const { client, prefix, name } = azurePlace(options)
  const { encryptionScope, accessTier } = options
  const settings = { blockSize, concurrency, timeout, encryptionScope, accessTier }
  for (const [option, value] of Object.entries({ blockSize, concurrency, timeout })) {
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`Azure's ${option} is a positive whole number.`)
  }
  const nameOf = (key: string) => `${prefix}${segmentsOf(key).join('/')}`
  const blobOf = (key: string) => client.getBlockBlobClient(nameOf(key))
  const sign = urlSigner(client, timeout)

  const storage: ExportStorage = {
    async write(key, source, options = {}) {
      await upload(blobOf(key), source, options, settings)
    },
    async read(key, range = { start: 0 }) {
      return download(blobOf(key), range, timeout)
    },
    async removeAll(prefix) {
      const root = nameOf(checkedPrefix(prefix))
      // First: where directories are real, nothing can be listed below a file.
      const isGone = await removeUnlessFull(client, root, timeout)
      await removeBelow(client, `${root}/`, new Set(), timeout)
      if (!isGone) await removeUnlessFull(client, root, timeout)
    },
    async removeOthers(prefix, keys) {
      const kept = new Set([...keys].map(nameOf))
      await removeBelow(client, `${nameOf(checkedPrefix(prefix))}/`, kept, timeout)
    },
    async check() {
      const probe = `probe-${randomUUID()}`
      try {
        await storage.write(probe, Readable.from([Buffer.from('probe')]))
        const found = await buffer(await storage.read(probe))
        if (found.toString() !== 'probe') throw new Error('What was written is not what is read')
        await removeBlob(client, nameOf(probe), timeout)
      } catch (error) {
        throw unusable(name, error)
      }
    },
  }
  if (sign === undefined) return storage
  return { ...storage, signedUrl: async (key, expires) => sign(nameOf(key), expires) }
}
