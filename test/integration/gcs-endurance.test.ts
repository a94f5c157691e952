import { gcsStorage } from '../../plugin/storage/gcs.js'
import { storageEnduranceSuite } from '../suites/storage-endurance-suite.js'
import { useFakeGcs } from './gcs-server.js'

const MEGABYTE = 1024 * 1024
/** Twice the default: the memory of a file is that of two parts, and what Node takes. */
const PART = 16 * MEGABYTE

describe('Google Cloud Storage', () => {
  const gcs = useFakeGcs()
  let bucket: string

  storageEnduranceSuite('Google Cloud Storage', {
    async open() {
      bucket = await gcs.newBucket()
      return gcsStorage({ bucket, apiEndpoint: gcs.url, chunkSize: PART })
    },
    close: () => gcs.server.removeBucket(bucket),
    recipe: () => ({
      module: new URL('../../plugin/storage/gcs.ts', import.meta.url).href,
      factory: 'gcsStorage',
      argument: { bucket, apiEndpoint: gcs.url, chunkSize: PART },
    }),
    everything: () => gcs.files(bucket),
    async restart() {
      await gcs.server.kill()
      await gcs.server.restart()
    },
    partSize: PART,
    // For each part, fake-gcs-server reads again all it was sent before: 1 GB takes it minutes.
    largeFile: 256 * MEGABYTE,
  })
})
