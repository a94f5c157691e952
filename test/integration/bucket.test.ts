import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { StorageEnvironment } from '../../config/storage-environment.js'
import { ensureBucket } from '../../scripts/host/bucket.js'
import { openStorage } from '../../scripts/host/storage.js'
import { useVersitygw } from '../support/versitygw.js'
import { azureSetup } from './azure-setup.js'
import { useFakeGcs } from './gcs-server.js'

/** Variables that SDKs read by themselves, until they are put back. */
function replaceEnvironment(variables: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

async function makesWhatStorageNeeds(url: string, environment: StorageEnvironment): Promise<void> {
  const storage = await openStorage(url, environment)
  const refusal = await storage.check().then(
    () => undefined,
    (error: unknown) => String(error),
  )
  expect(refusal, 'it is not there yet').to.be.a('string')
  await ensureBucket(url, environment)
  await storage.check()
  await ensureBucket(url, environment)
  await storage.check()
}

describe('making a bucket', () => {
  let restore = () => {}
  afterEach('put the environment back', () => restore())

  describe('on an S3 server', () => {
    const s3 = useVersitygw()
    it('makes it once', async () => {
      const { endpoint, region, credentials } = s3.gateway
      restore = replaceEnvironment({
        ...{ AWS_REGION: region, AWS_ACCESS_KEY_ID: credentials.accessKeyId },
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      })
      await makesWhatStorageNeeds('s3://new-bucket/fhir', { AWS_ENDPOINT_URL_S3: endpoint })
    })
  })

  describe('on Azurite', () => {
    const azure = azureSetup()
    it('makes it once', async () => {
      const connection = { AZURE_STORAGE_CONNECTION_STRING: azure.azurite.connectionString }
      await makesWhatStorageNeeds(`azure://new-${randomUUID()}/fhir`, connection)
    })
  })

  describe('on an emulator of Google Cloud Storage', () => {
    const gcs = useFakeGcs()
    it('makes it once', async () => {
      restore = replaceEnvironment({ STORAGE_EMULATOR_HOST: gcs.url })
      await makesWhatStorageNeeds('gs://new-bucket/fhir', {})
    })
  })

  it('leaves a folder to the storage', async () => {
    await ensureBucket('file:///nowhere/to/be/made', {})
  })
})
