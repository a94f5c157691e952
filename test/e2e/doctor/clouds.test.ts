import { BlobServiceClient } from '@azure/storage-blob'
import { expect } from 'chai'
import { type BulkExportOptions, runDoctor } from '../../../plugin/index.js'
import { azureStorage } from '../../../plugin/storage/azure.js'
import { azureContainers } from '../../../plugin/storage/azure-containers.js'
import { s3Storage } from '../../../plugin/storage/s3.js'
import { azureSetup } from '../../integration/azure-setup.js'
import { useSuiteDatabase } from '../../support/mongodb.js'
import { objectsOf } from '../../support/s3-content.js'
import { useVersitygw } from '../../support/versitygw.js'
import { doctorHost, troubles } from './doctor-host.js'
import { modelProfile } from './model-service.js'

describe('the doctor on a cloud storage', () => {
  const database = useSuiteDatabase()
  const s3 = useVersitygw()
  const azure = azureSetup()
  const onStorage = async (options: Partial<BulkExportOptions>) => {
    const profiles = { Patient: modelProfile([]), Group: modelProfile([]) }
    const host = await doctorHost(database, profiles, options)
    try {
      const diagnosis = await runDoctor(host.bulkExport)
      const good = diagnosis.findings.filter(({ area, level }) => area === 'storage' && level === 'ok')
      return { found: troubles(diagnosis, 'storage'), good: good.map(({ what }) => what) }
    } finally {
      await host.close()
    }
  }
  const [FILES, URLS, REMOVED] = [
    'A file can be written, read, and read in part.',
    'Signed URLs give files.',
    'Files can be removed.',
  ]

  it('finds S3 and its signed URLs good, and leaves no object', async () => {
    const options = await s3.newBucket()
    const storage = s3Storage({ ...options, prefix: 'some/prefix' })
    expect(await onStorage({ storage, signedUrls: 60_000 })).to.deep.equal({
      found: [],
      good: [FILES, URLS, REMOVED],
    })
    expect(await objectsOf(s3.client, options.bucket)).to.deep.equal([])
  })

  it('finds Azure and its signed URLs good, and leaves no blob', async () => {
    const { connectionString } = azure.azurite
    const storage = azureStorage({ connectionString, container: azure.container.containerName })
    expect(await onStorage({ storage, signedUrls: 60_000 })).to.deep.equal({
      found: [],
      good: [FILES, URLS, REMOVED],
    })
    expect(await azure.names()).to.deep.equal([])
  })

  it('finds a container of its own good, and leaves none', async () => {
    const { connectionString } = azure.azurite
    const service = BlobServiceClient.fromConnectionString(connectionString)
    const names = async () => {
      const found: string[] = []
      for await (const { name } of service.listContainers()) found.push(name)
      return found
    }
    const before = await names()
    const storage = azureContainers({ connectionString, create: true })
    expect(await onStorage({ storage })).to.deep.equal({ found: [], good: [FILES, REMOVED] })
    expect(await names()).to.deep.equal(before)
  })

  it('finds that a bucket is not there', async () => {
    const storage = s3Storage({ ...(await s3.newBucket()), bucket: 'no-such-bucket' })
    expect(await onStorage({ storage })).to.deep.equal({ found: ['error files'], good: [] })
  })
})
