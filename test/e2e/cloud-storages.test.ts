import { createHash, generateKeyPairSync } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { BulkExportOptions, ExportStorage, Manifest, ManifestFile } from '../../plugin/index.js'
import { azureStorage } from '../../plugin/storage/azure.js'
import { gcsStorage } from '../../plugin/storage/gcs.js'
import { s3Storage } from '../../plugin/storage/s3.js'
import { population } from '../../scripts/population/index.js'
import { azureSetup } from '../integration/azure-setup.js'
import { useFakeGcs } from '../integration/gcs-server.js'
import { startHost, store, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { objectsOf } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'

const HOUR = 3_600_000
const RESOURCES = [...population({ patients: 12 })]

/** A cloud that a test can look into. */
interface Cloud {
  storage(): Promise<ExportStorage>
  /** The keys of all that is there. */
  keys(): Promise<readonly string[]>
}

/** What a client has after it has fetched all files of a manifest, by name. */
type Files = ReadonlyMap<string, string>

async function fetchAll(files: readonly ManifestFile[]): Promise<Files> {
  const found = new Map<string, string>()
  for (const { url, extension } of files) {
    const response = await fetch(url)
    const text = await response.text()
    expect(response.status, text).to.equal(200)
    expect(response.headers.get('content-type')).to.equal('application/fhir+ndjson')
    if (extension !== undefined) {
      expect(createHash('sha256').update(text).digest('hex')).to.equal(extension.sha256)
      expect(Buffer.byteLength(text)).to.equal(extension.bytes)
    }
    found.set(nameOf(url), text)
  }
  return found
}

/** The same with and without compression. */
function nameOf(url: string): string {
  const name = new URL(url, 'http://localhost').pathname.split('/').at(-1) as string
  return decodeURIComponent(name).replace(/\.gz$/, '')
}

describe('a whole export', () => {
  const database = useDatabase()
  let hosts: TestHost[]
  let types: readonly string[]
  beforeEach(async () => {
    hosts = []
    types = [...(await store(database, RESOURCES))]
  })
  afterEach(() => Promise.all(hosts.map((host) => host.close())))

  const exported = async (options: Partial<BulkExportOptions>) => {
    // With one worker the files of two exports are cut alike.
    const host = await startHost(database, {
      types,
      options: { workers: 1, maxFileResources: 40, ...options },
    })
    hosts.push(host)
    const statusUrl = await host.client.kickOff('system')
    expect(await host.ended(statusUrl)).to.equal('completed')
    const manifest = await host.manifest(statusUrl)
    return { host, statusUrl, manifest }
  }
  const local = async () => {
    const { host, manifest } = await exported({})
    const files = await fetchAll(manifest.output)
    // Its worker would take part in the next export, with its own storage.
    await host.close()
    hosts = []
    return files
  }
  const sizeOf = (manifest: Manifest) => manifest.output.reduce((sum, { count }) => sum + count, 0)

  const clouds: readonly [string, () => Cloud][] = [
    [
      'S3',
      () => {
        const s3 = useVersitygw()
        let bucket = ''
        return {
          async storage() {
            const options = await s3.newBucket()
            bucket = options.bucket
            return s3Storage({ ...options, prefix: 'some/prefix' })
          },
          keys: () => objectsOf(s3.client, bucket),
        }
      },
    ],
    [
      'Azure Blob Storage',
      () => {
        const azure = azureSetup()
        return {
          async storage() {
            const { connectionString } = azure.azurite
            return azureStorage({
              connectionString,
              container: azure.container.containerName,
              prefix: 'some/prefix',
            })
          },
          keys: () => azure.names(),
        }
      },
    ],
    [
      'Google Cloud Storage',
      () => {
        const gcs = useFakeGcs()
        let bucket = ''
        const { privateKey } = generateKeyPairSync('rsa', {
          modulusLength: 2048,
          publicKeyEncoding: { type: 'spki', format: 'pem' },
          privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        })
        return {
          async storage() {
            bucket = await gcs.newBucket()
            const credentials = {
              client_email: 'exporter@example.iam.gserviceaccount.com',
              private_key: privateKey,
            }
            return gcsStorage({ bucket, prefix: 'some/prefix', apiEndpoint: gcs.url, credentials })
          },
          keys: () => gcs.files(bucket),
        }
      },
    ],
  ]

  for (const [name, open] of clouds) {
    describe(`to ${name}`, () => {
      const cloud = open()

      for (const compressFiles of [false, true]) {
        it(`is what it is on local disk, ${compressFiles ? 'compressed, ' : ''}fetched by plain GETs without a token`, async () => {
          const expected = await local()
          const { host, statusUrl, manifest } = await exported({
            ...{ storage: await cloud.storage(), compressFiles, hashFiles: true, manifestFile: true },
            signedUrls: HOUR,
          })
          expect(manifest.requiresAccessToken).to.equal(false)
          for (const { url } of manifest.output) expect(url.startsWith(host.base), url).to.equal(false)
          expect(await fetchAll(manifest.output)).to.deep.equal(expected)
          expect(sizeOf(manifest)).to.equal(RESOURCES.length)
          const folders = new Set((await cloud.keys()).map((key) => key.split('/').slice(0, -1).join('/')))
          expect([...folders]).to.have.length(1)
          expect([...folders][0]).to.match(/^some\/prefix\/\d{8}T\d{6}Z_[0-9a-f]{32}$/)
          const names = (await cloud.keys()).map((key) => key.split('/').at(-1) as string).sort()
          const ending = compressFiles ? '.gz' : ''
          expect(names).to.deep.equal(
            [...[...expected.keys()].map((file) => file + ending), 'manifest.json'].sort(),
          )
          await host.client.remove(statusUrl)
          expect(await cloud.keys()).to.deep.equal([])
        })
      }

      it('is what it is on local disk, read through the server', async () => {
        const expected = await local()
        const { host, manifest } = await exported({ storage: await cloud.storage(), compressFiles: true })
        for (const { url } of manifest.output) expect(url.startsWith(host.base), url).to.equal(true)
        expect(await fetchAll(manifest.output)).to.deep.equal(expected)
      })

      it('has a manifest beside its files that names them all', async () => {
        const storage = await cloud.storage()
        const { manifest } = await exported({
          storage,
          compressFiles: true,
          hashFiles: true,
          manifestFile: true,
        })
        const key = (await cloud.keys()).find((each) => each.endsWith('/manifest.json')) as string
        const within = key.replace('some/prefix/', '')
        const read = async (file: string) => Buffer.concat(await (await storage.read(file)).toArray())
        const found = JSON.parse((await read(within)).toString()) as Manifest
        expect(found.transactionTime).to.equal(manifest.transactionTime)
        expect(found.output.map(({ type, count, extension }) => ({ type, count, extension }))).to.deep.equal(
          manifest.output.map(({ type, count, extension }) => ({ type, count, extension })),
        )
        for (const { url, extension } of found.output) {
          const plain = gunzipSync(await read(within.replace('manifest.json', url)))
          expect(createHash('sha256').update(plain).digest('hex')).to.equal(extension?.sha256)
        }
      })
    })
  }
})
