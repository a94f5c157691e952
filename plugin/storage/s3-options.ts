import { S3Client, type S3ClientConfig, type StorageClass } from '@aws-sdk/client-s3'
import { checkedPrefix, segmentsOf } from './key.js'

/** Where the files go and how. What is absent is as Amazon's SDK finds it: environment, profile, role. */
export interface S3StorageOptions {
  readonly bucket: string
  /** What all keys begin with, without slashes at its ends, such as `fhir/exports`. */
  readonly prefix?: string
  /**
   * A client of yours, instead of `region`, `endpoint`, `forcePathStyle` and `credentials`. It is not closed. How long
   * it waits for a server that does not answer is yours to say: by default that is for ever.
   */
  readonly client?: S3Client
  /** Such as `eu-central-1`; by default `AWS_REGION` or that of the profile. */
  readonly region?: string
  /** `http:` or `https:` URL of a compatible server; by default Amazon's for the region, or `AWS_ENDPOINT_URL_S3`. */
  readonly endpoint?: string
  /** Puts the bucket in the path of URLs instead of in the host name; by default so when `endpoint` is given. */
  readonly forcePathStyle?: boolean
  /** By default the SDK's own chain: environment, profile, web identity, role of the container or the machine. */
  readonly credentials?: NonNullable<S3ClientConfig['credentials']>
  /** How files are encrypted at rest; by default as the bucket says, or by `aws:kms` when there is a `kmsKeyId`. */
  readonly serverSideEncryption?: Encryption
  /** ID or ARN of the key for `aws:kms` and `aws:kms:dsse`. */
  readonly kmsKeyId?: string
  /** Such as `STANDARD_IA`; by default that of the bucket. */
  readonly storageClass?: StorageClass
  /**
   * How large the parts of an upload are, in bytes, from 5 MiB to 5 GiB; 8 MiB by default. Files up to this size are
   * sent in one request, larger ones three parts at a time. A larger one makes larger files possible: see `partSizeFor`.
   */
  readonly partSize?: number
}

export type Encryption = (typeof ENCRYPTIONS)[number]

/** A bucket, and how to get there. */
export interface S3Place {
  readonly client: S3Client
  readonly bucket: string
  /** Empty, or ends with a slash. */
  readonly prefix: string
  /** What every new object is given. */
  readonly attributes: {
    readonly ServerSideEncryption?: Encryption
    readonly SSEKMSKeyId?: string
    readonly StorageClass?: StorageClass
  }
  readonly partSize: number
}

const ENCRYPTIONS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const
const MIB = 1024 * 1024
const SMALLEST_PART = 5 * MIB
const LARGEST_PART = 5 * 1024 * MIB
/** How long a connection may take, and how long one may be silent, in ms; each request is tried three times. */
const CONNECTION_TIMEOUT = 10_000
const SOCKET_TIMEOUT = 60_000
const MOST_SOCKETS = 256

const BUCKET = /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$|^arn:[\w-]+:s3[\w-]*:[\w-]*:\d*:[\w:/.-]+$/
const PARAMETERS = [
  'region',
  'endpoint',
  'forcePathStyle',
  'serverSideEncryption',
  'kmsKeyId',
  'storageClass',
]

/**
 * The options that a URL such as `s3://bucket/prefix?region=eu-central-1` stands for.
 *
 * @throws Error for another kind of URL, an unknown parameter, or one with a password
 */
export function optionsOf(url: string | URL): S3StorageOptions {
  const text = String(url)
  if (!URL.canParse(text)) throw new Error('Not a URL of a bucket, such as s3://bucket/prefix.')
  const { protocol, username, password, host, pathname, searchParams, hash } = new URL(text)
  if (protocol !== 's3:') throw new Error(`The URL of a bucket begins with s3: and not with ${protocol}`)
  if (username + password !== '') throw new Error('The URL of a bucket has no credentials in it.')
  for (const name of searchParams.keys()) {
    if (!PARAMETERS.includes(name)) throw new Error(`The URL of a bucket has no parameter ${name}.`)
  }
  if (hash !== '') throw new Error('The URL of a bucket has no fragment.')
  const { forcePathStyle, ...given } = Object.fromEntries(searchParams)
  if (forcePathStyle !== undefined && !/^(true|false)$/.test(forcePathStyle)) {
    throw new Error('forcePathStyle is true or false.')
  }
  const prefix = decodeURIComponent(pathname).replace(/^\/|\/$/g, '')
  return {
    ...(given as Partial<S3StorageOptions>),
    bucket: decodeURIComponent(host),
    ...(prefix !== '' && { prefix }),
    ...(forcePathStyle !== undefined && { forcePathStyle: forcePathStyle === 'true' }),
  }
}

/**
 * Checks options, without asking anybody, and makes a client if there is none.
 *
 * @throws Error that says which option is wrong
 */
export function openPlace(options: S3StorageOptions): S3Place {
  const { bucket, prefix = '', serverSideEncryption, kmsKeyId, storageClass, partSize = 8 * MIB } = options
  if (!BUCKET.test(bucket)) {
    throw new Error(
      `Not the name of a bucket: ${JSON.stringify(bucket.slice(0, 80))}. It has 3 to 63 lower case letters, digits, ` +
        'dots and hyphens and begins and ends with a letter or a digit, or it is an ARN.',
    )
  }
  if (!Number.isInteger(partSize) || partSize < SMALLEST_PART || partSize > LARGEST_PART) {
    throw new Error(
      `partSize is ${partSize}, but must be a whole number from ${SMALLEST_PART} to ${LARGEST_PART}.`,
    )
  }
  const encryption = serverSideEncryption ?? (kmsKeyId === undefined ? undefined : 'aws:kms')
  if (encryption !== undefined && !ENCRYPTIONS.includes(encryption)) {
    throw new Error(`serverSideEncryption must be one of ${ENCRYPTIONS.join(', ')}.`)
  }
  if (encryption === 'AES256' && kmsKeyId !== undefined) throw new Error('AES256 takes no kmsKeyId.')
  return {
    client: clientFor(options),
    bucket,
    prefix: prefix === '' ? '' : `${checkedPrefix(prefix)}/`,
    attributes: {
      ...(encryption !== undefined && { ServerSideEncryption: encryption }),
      ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
      ...(storageClass !== undefined && { StorageClass: storageClass }),
    },
    partSize,
  }
}

/**
 * The name of a key, or of a prefix of keys, in the bucket.
 *
 * @throws Error for one that is no storage key, or is too long behind the prefix
 */
export function nameOf({ prefix }: S3Place, key: string): string {
  segmentsOf(key)
  segmentsOf(prefix + key)
  return prefix + key
}

function clientFor(options: S3StorageOptions): S3Client {
  const { client, region, endpoint, credentials, forcePathStyle } = options
  if (client !== undefined) {
    for (const name of ['region', 'endpoint', 'credentials', 'forcePathStyle'] as const) {
      if (options[name] !== undefined) throw new Error(`${name} is for the client: give one of the two.`)
    }
    return client
  }
  if (endpoint !== undefined) refuseEndpoint(endpoint)
  return new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    // Bytes that are sent are covered by the SHA-256 of the signature. Not every compatible server knows more.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT,
      socketTimeout: SOCKET_TIMEOUT,
      httpAgent: { maxSockets: MOST_SOCKETS },
      httpsAgent: { maxSockets: MOST_SOCKETS },
    },
  })
}

function refuseEndpoint(endpoint: string): void {
  const rule = 'endpoint is an absolute http: or https: URL without user, query or fragment.'
  if (!URL.canParse(endpoint)) throw new Error(rule)
  const { protocol, username, password, search, hash } = new URL(endpoint)
  if (!/^https?:$/.test(protocol) || username + password + search + hash !== '') throw new Error(rule)
}
