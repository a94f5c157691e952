import type { StorageEnvironment } from '../../config/storage-environment.js'

/**
 * Makes the bucket or container of a storage where it is not there yet; a folder needs none. For emulators and
 * compatible servers: in a cloud it is made by those who pay for it.
 *
 * @param url what `EXPORT_STORAGE` may be
 * @param environment as for `openStorage`
 */
export async function ensureBucket(url: string, environment: StorageEnvironment): Promise<void> {
  const { protocol, host: name } = new URL(url)
  switch (protocol) {
    case 's3:':
      return ensureS3Bucket(name, environment)
    case 'azure:':
      return ensureAzureContainer(name, environment)
    case 'gs:':
      return ensureGcsBucket(name)
    default:
  }
}

async function ensureS3Bucket(name: string, environment: StorageEnvironment): Promise<void> {
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
  const { AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3: endpoint = AWS_ENDPOINT_URL } = environment
  const client = new S3Client(endpoint ? { endpoint, forcePathStyle: true } : {})
  try {
    await client.send(new CreateBucketCommand({ Bucket: name }))
  } catch (error) {
    // Some servers use the second name also for one's own.
    if (!/^BucketAlready(OwnedByYou|Exists)$/.test((error as Error).name)) throw error
  } finally {
    client.destroy()
  }
}

async function ensureAzureContainer(name: string, environment: StorageEnvironment): Promise<void> {
  const { BlobServiceClient } = await import('@azure/storage-blob')
  const { AZURE_STORAGE_CONNECTION_STRING: connection } = environment
  if (!connection) throw new Error('Set AZURE_STORAGE_CONNECTION_STRING to the account of the container.')
  await BlobServiceClient.fromConnectionString(connection).getContainerClient(name).createIfNotExists()
}

async function ensureGcsBucket(name: string): Promise<void> {
  const { Storage } = await import('@google-cloud/storage')
  // By hand, as the SDK looks for buckets of an emulator somewhere else than emulators have them.
  const { apiEndpoint } = new Storage()
  const answer = await fetch(`${apiEndpoint}/storage/v1/b?project=demo`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  await answer.body?.cancel()
  if (!answer.ok && answer.status !== 409) {
    throw new Error(`The bucket ${name} could not be made at ${apiEndpoint}: HTTP ${answer.status}.`)
  }
}
