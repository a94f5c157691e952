import { GcsError, unidentified } from './gcs-error.js'
import type { GcsSettings } from './gcs-options.js'
import { within } from './gcs-requests.js'

const LONGEST = 7 * 24 * 60 * 60 * 1000

/**
 * A V4 signed URL that gives an object. Signed here when there is a private key, else by IAM (`signBlob`).
 *
 * @throws RangeError when it would be valid for less than a second or more than 7 days
 * @throws GcsError when it cannot be signed
 */
export async function signObject(settings: GcsSettings, name: string, expires: Date): Promise<string> {
  const { client, bucket, timeout } = settings
  const life = expires.getTime() - Date.now()
  if (!(life >= 1000)) throw new RangeError('A signed URL has to be valid for a second at least.')
  if (life > LONGEST) throw new RangeError('A signed URL of Google Cloud Storage expires within 7 days.')
  const signing = client.bucket(bucket).file(name).getSignedUrl({ version: 'v4', action: 'read', expires })
  try {
    const [url] = await within(signing, timeout)
    return url
  } catch (error) {
    const { message, code, statusCode } = error instanceof GcsError ? error : unidentified(error)
    const remedy =
      'It takes a private key, or for its identity roles/iam.serviceAccountTokenCreator on itself.'
    throw new GcsError(
      `gs://${bucket}/${name} got no signed URL: ${message.replace(/[.\s]*$/, '.')} ${remedy}`,
      {
        code,
        ...(statusCode !== undefined && { statusCode }),
      },
    )
  }
}
