import type { Agent } from 'node:http'
import { Storage, type StorageOptions } from '@google-cloud/storage'
import { checkedPrefix } from './key.js'

/** Where output files go in Google Cloud Storage, and as whom. Only `bucket` is needed. */
export interface GcsStorageOptions {
  /** The name of a bucket that is there. */
  readonly bucket: string
  /** What all keys begin with, such as `exports/2026`; absent: the root of the bucket. */
  readonly prefix?: string
  /**
   * A `Storage` that the team made: its identity, endpoint and checksum are used; its settings for retries and
   * time-outs are not. With it none of the five options below may be given.
   */
  readonly client?: Storage
  readonly projectId?: string
  /** The path of a service account's key file; absent: the identity of the machine (workload identity and others). */
  readonly keyFilename?: string
  /** The same as an object: `client_email` and `private_key`. */
  readonly credentials?: NonNullable<StorageOptions['credentials']>
  /** URL of a compatible or private server. No credential is sent to one that is not of Google, but see below. */
  readonly apiEndpoint?: string
  /** True sends credentials to an `apiEndpoint` that is not of Google, too; false by default. */
  readonly useAuthWithCustomEndpoint?: boolean
  /** A key of Cloud KMS: `projects/…/locations/…/keyRings/…/cryptoKeys/…`; absent: what the bucket says. */
  readonly kmsKeyName?: string
  /** Such as `NEARLINE`; absent: what the bucket says. */
  readonly storageClass?: string
  /** The project that pays for requests, for buckets whose requester pays. */
  readonly userProject?: string
  /**
   * Bytes that go in one request, a multiple of 256 KiB; 8 MiB by default. A file up to this size is one request,
   * a larger one needs twice as much memory while it is written.
   */
  readonly chunkSize?: number
  /** Milliseconds without a byte in either direction after which a server is taken for hung; 30 000 by default. */
  readonly timeout?: number
  /** For a proxy; absent: Node's own, which follows `NODE_USE_ENV_PROXY` where Node knows that. */
  readonly agent?: Agent
}

/** The same, complete and checked. */
export interface GcsSettings {
  readonly client: Storage
  readonly bucket: string
  /** Without a slash at its end; empty: none. */
  readonly prefix: string
  readonly kmsKeyName: string | undefined
  readonly storageClass: string | undefined
  readonly userProject: string | undefined
  readonly chunkSize: number
  readonly timeout: number
  readonly agent: Agent | undefined
}

const CHUNK_UNIT = 256 * 1024
const MADE_BY_CLIENT = [
  'projectId',
  'keyFilename',
  'credentials',
  'apiEndpoint',
  'useAuthWithCustomEndpoint',
] as const

/**
 * @param given options, or `gs://bucket/prefix` (its prefix percent-encoded)
 * @throws Error that names the option which cannot be used, and why
 */
export function gcsSettings(given: GcsStorageOptions | string | URL): GcsSettings {
  const options = typeof given === 'string' || given instanceof URL ? fromUrl(given) : given
  const { bucket, prefix, client, chunkSize = 32 * CHUNK_UNIT, timeout = 30_000 } = options
  checkBucket(bucket)
  if (!Number.isSafeInteger(chunkSize) || chunkSize < CHUNK_UNIT || chunkSize % CHUNK_UNIT !== 0) {
    throw new RangeError(`chunkSize is a multiple of 262144 (256 KiB), not ${chunkSize}.`)
  }
  if (!Number.isSafeInteger(timeout) || timeout < 1 || timeout > 2 ** 31 - 1) {
    throw new RangeError(`timeout is a whole number of milliseconds, not ${timeout}.`)
  }
  const surplus = MADE_BY_CLIENT.filter((name) => client !== undefined && options[name] !== undefined)
  if (surplus.length > 0)
    throw new Error(`Give either client or ${surplus.join(', ')}: a client has its own.`)
  return {
    client: client ?? clientOf(options),
    bucket,
    prefix: prefix === undefined || prefix === '' ? '' : checkedPrefix(prefix),
    kmsKeyName: options.kmsKeyName,
    storageClass: options.storageClass,
    userProject: options.userProject,
    chunkSize,
    timeout,
    agent: options.agent,
  }
}

function clientOf(options: GcsStorageOptions): Storage {
  const given = MADE_BY_CLIENT.filter((name) => options[name] !== undefined)
  return new Storage(Object.fromEntries(given.map((name) => [name, options[name]])))
}

function fromUrl(given: string | URL): GcsStorageOptions {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined
  // What was given may have a password in it, and is not shown.
  if (url?.protocol !== 'gs:')
    throw new Error('A place in Google Cloud Storage is written gs://bucket/prefix.')
  const { username, password, port, search, hash, hostname, pathname } = url
  if (username || password || port || search || hash) {
    throw new Error('A gs:// URL has a bucket and a prefix and nothing else; give options for the rest.')
  }
  return { bucket: hostname, prefix: decodeURIComponent(pathname.replace(/^\//, '')) }
}

/** The vendor's rules, so that a mistake is told before the first request. */
function checkBucket(name: string): void {
  const isName =
    /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(name) &&
    name.split('.').every((label) => label.length >= 1 && label.length <= 63) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !name.startsWith('goog')
  if (isName) return
  throw new Error(
    `Not a name of a bucket: ${JSON.stringify(String(name).slice(0, 80))}. It has 3 to 63 lower-case letters, ` +
      'digits, hyphens, underscores and dots, begins and ends with a letter or digit, and not with goog.',
  )
}
