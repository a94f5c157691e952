import { randomUUID } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { asked, nameOfError, statusOf } from './s3-error.js'
import type { S3Place } from './s3-options.js'

/** How long all of a check may take, in ms. */
const PATIENCE = 20_000
const CONTENT = 'probe'

const NETWORK =
  /^(E(CONN(REFUSED|RESET|ABORTED)|TIMEDOUT|PIPE|HOSTUNREACH|NETUNREACH|AI_AGAIN)|ENOTFOUND|CERT_\w+|DEPTH_ZERO\w+)$/

/** What to do, by what S3 or the SDK says. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^NoSuchBucket$|^InvalidBucketName$/, 'Create the bucket, or correct its name or the endpoint.'],
  [
    /^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|TokenRefreshRequired)\w*$/,
    'Check the access key and its secret, or renew them.',
  ],
  [
    /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|MovedPermanently)$/,
    'Set `region` or AWS_REGION to the region of the bucket, and no other endpoint.',
  ],
  [/^RequestTimeTooSkewed$/, 'Set the clock of this machine.'],
  [
    /^(AccessDenied|Forbidden|AllAccessDisabled|AccountProblem|KMS\.\w+)$/,
    'Allow s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, s3:GetObject, s3:PutObject, ' +
      's3:DeleteObject and s3:AbortMultipartUpload on its objects, and with a KMS key kms:GenerateDataKey and ' +
      'kms:Decrypt on that.',
  ],
  [
    /^CredentialsProviderError$/,
    'Give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of the machine.',
  ],
]

/**
 * Lists, writes, reads and removes a tiny object, within 20 seconds.
 *
 * @throws Error for the operator that names bucket and endpoint, what was refused and why, and what to do
 */
export async function checkPlace(place: S3Place): Promise<void> {
  const { client, bucket: Bucket, attributes } = place
  const name = `${place.prefix}probe-${randomUUID()}`
  const object = { Bucket, Key: name }
  const sending = { abortSignal: AbortSignal.timeout(PATIENCE) }
  try {
    // Sweeps need to list; and, unlike others, these answers always say what is wrong.
    const list = new ListObjectsV2Command({ Bucket, Prefix: name, MaxKeys: 1 })
    await asked(place, 'ListObjects', name, client.send(list, sending))
    const uploads = new ListMultipartUploadsCommand({ Bucket, Prefix: name, MaxUploads: 1 })
    await asked(place, 'ListMultipartUploads', name, client.send(uploads, sending))
    const put = new PutObjectCommand({ ...object, ...attributes, Body: Buffer.from(CONTENT) })
    await asked(place, 'PutObject', name, client.send(put, sending))
    try {
      const { Body } = await asked(
        place,
        'GetObject',
        name,
        client.send(new GetObjectCommand(object), sending),
      )
      if ((await Body?.transformToString()) !== CONTENT)
        throw new Error('What was written is read otherwise.')
    } finally {
      await asked(place, 'DeleteObject', name, client.send(new DeleteObjectCommand(object), sending))
    }
  } catch (error) {
    const { message } = error instanceof Error ? error : { message: String(error) }
    const reason = sending.abortSignal.aborted
      ? `there was no answer within ${PATIENCE / 1000} seconds`
      : message
    const where = await endpointOf(place)
    throw new Error(`The bucket ${Bucket}${where} cannot be used: ${reason}${remedyFor(error)}`, {
      cause: error,
    })
  }
}

function remedyFor(error: unknown): string {
  const { code } = error as { code?: unknown }
  const name = nameOfError(error)
  const remedy = REMEDIES.find(([pattern]) => pattern.test(name))?.[1]
  if (remedy !== undefined) return `. ${remedy}`
  if (NETWORK.test(String(code)) || /^(TimeoutError|AbortError)$/.test(name)) {
    return '. Check the endpoint, the network and whether the server runs.'
  }
  if (/Region is missing/.test((error as Error).message)) return '. Set `region` or AWS_REGION.'
  return statusOf(error) === 301 ? '. Set `region` or AWS_REGION to the region of the bucket.' : ''
}

/** As words, without what could be a credential; empty when nothing is known. */
async function endpointOf({ client }: S3Place): Promise<string> {
  try {
    const endpoint = await client.config.endpoint?.()
    if (endpoint === undefined) return ` in the region ${await client.config.region()}`
    const { protocol, hostname, port } = endpoint
    return ` at ${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`
  } catch {
    // Without a region, which the reason says.
    return ''
  }
}
