import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3'
import { asked, statusOf } from './s3-error.js'
import type { S3Place } from './s3-options.js'

/** What S3 takes in one request, and gives in one page. */
const BATCH = 1000
/** How many of the files that could not be removed an error names. */
const NAMED = 5
/** How servers answer that do not know a request for several objects, or want it with an MD5. */
const NOT_TAKEN = new Set([400, 405, 411, 501])

interface Refusal {
  readonly name: string
  readonly code: string
}

/** Removes the object of a name, all objects below it as a folder, and the uploads that are pending for any of them. */
export async function removeTree(place: S3Place, name: string): Promise<void> {
  // First, so that none of them becomes an object behind the back of the rest.
  await dropUploads(place, name, (found) => found === name || found.startsWith(`${name}/`))
  if (await isThere(place, name)) await removeNames(place, [name])
  await removeBelow(place, `${name}/`, new Set())
}

/** Removes all objects below a folder but these, and all uploads that are pending there. */
export async function removeOthers(place: S3Place, name: string, kept: ReadonlySet<string>): Promise<void> {
  await dropUploads(place, `${name}/`, () => true)
  await removeBelow(place, `${name}/`, kept)
}

async function removeBelow(place: S3Place, folder: string, kept: ReadonlySet<string>): Promise<void> {
  const refusals: Refusal[] = []
  for await (const names of pagesBelow(place, folder)) {
    refusals.push(
      ...(await refusedOf(
        place,
        names.filter((name) => !kept.has(name)),
      )),
    )
  }
  throwRefusals(place, refusals)
}

async function removeNames(place: S3Place, names: readonly string[]): Promise<void> {
  throwRefusals(place, await refusedOf(place, names))
}

async function* pagesBelow(place: S3Place, folder: string): AsyncGenerator<readonly string[]> {
  const { client, bucket: Bucket } = place
  let after: string | undefined
  for (;;) {
    const command = new ListObjectsV2Command({
      ...{ Bucket, Prefix: folder, MaxKeys: BATCH },
      ...(after !== undefined && { ContinuationToken: after }),
    })
    const page: ListObjectsV2CommandOutput = await asked(place, 'ListObjects', folder, client.send(command))
    yield (page.Contents ?? []).flatMap(({ Key }) => (Key?.startsWith(folder) ? [Key] : []))
    if (!page.IsTruncated || page.NextContinuationToken === undefined) return
    after = page.NextContinuationToken
  }
}

async function dropUploads(
  place: S3Place,
  prefix: string,
  isMeant: (name: string) => boolean,
): Promise<void> {
  for await (const { name, uploadId } of pendingUploads(place, prefix)) {
    if (!name.startsWith(prefix) || !isMeant(name)) continue
    const command = new AbortMultipartUploadCommand({ Bucket: place.bucket, Key: name, UploadId: uploadId })
    await asked(place, 'AbortMultipartUpload', name, place.client.send(command)).catch((error: unknown) => {
      // It came to its end meanwhile.
      if (statusOf(error) !== 404) throw error
    })
  }
}

async function* pendingUploads(
  place: S3Place,
  prefix: string,
): AsyncGenerator<{ readonly name: string; readonly uploadId: string }> {
  const { client, bucket: Bucket } = place
  let after: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {}
  for (;;) {
    const command = new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...after })
    const page: ListMultipartUploadsCommandOutput = await asked(
      place,
      'ListMultipartUploads',
      prefix,
      client.send(command),
    )
    for (const { Key: name, UploadId: uploadId } of page.Uploads ?? []) {
      if (name !== undefined && uploadId !== undefined) yield { name, uploadId }
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
    if (!IsTruncated || NextKeyMarker === undefined) return
    after = {
      KeyMarker: NextKeyMarker,
      ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
    }
  }
}

async function isThere(place: S3Place, name: string): Promise<boolean> {
  try {
    const command = new HeadObjectCommand({ Bucket: place.bucket, Key: name })
    await asked(place, 'HeadObject', name, place.client.send(command))
    return true
  } catch (error) {
    if (statusOf(error) === 404) return false
    throw error
  }
}

/** Removes up to a batch, and gives those that are still there. */
async function refusedOf(place: S3Place, names: readonly string[]): Promise<readonly Refusal[]> {
  const [first] = names
  if (first === undefined) return []
  const command = new DeleteObjectsCommand({
    Bucket: place.bucket,
    Delete: { Objects: names.map((Key) => ({ Key })), Quiet: true },
  })
  try {
    const { Errors = [] } = await asked(place, 'DeleteObjects', first, place.client.send(command))
    return Errors.map(({ Key = '', Code = 'unknown', Message }) => ({
      name: Key,
      code: Message ? `${Code} (${Message})` : Code,
    }))
  } catch (error) {
    if (!NOT_TAKEN.has(statusOf(error) ?? 0)) throw error
  }
  for (const Key of names) {
    const single = new DeleteObjectCommand({ Bucket: place.bucket, Key })
    await asked(place, 'DeleteObject', Key, place.client.send(single))
  }
  return []
}

function throwRefusals({ bucket }: S3Place, refusals: readonly Refusal[]): void {
  if (refusals.length === 0) return
  const named = refusals.slice(0, NAMED).map(({ name, code }) => `${name}: ${code}`)
  const more = refusals.length > NAMED ? `, and ${refusals.length - NAMED} more` : ''
  throw new Error(`Could not be removed from the bucket ${bucket}: ${named.join(', ')}${more}.`)
}
