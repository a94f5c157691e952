import {
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'

/** The names of all objects of a bucket. */
export async function objectsOf(client: S3Client, bucket: string): Promise<readonly string[]> {
  const names: string[] = []
  let after: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, ...(after !== undefined && { ContinuationToken: after }) }),
    )
    names.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
    after = page.NextContinuationToken
  } while (after !== undefined)
  return names
}

/** The names of the objects for which an upload is pending, once for each. */
export async function pendingUploads(client: S3Client, bucket: string): Promise<readonly string[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  return Uploads.map(({ Key = '' }) => Key)
}
