import { gcsStorage } from '../../plugin/storage/gcs.js'
import { storageSuite } from '../suites/storage-suite.js'
import { useFakeGcs } from './gcs-server.js'

describe('Google Cloud Storage', () => {
  const gcs = useFakeGcs()

  storageSuite('Google Cloud Storage', {
    async open() {
      return gcsStorage({ bucket: await gcs.newBucket(), prefix: 'exports/a b', apiEndpoint: gcs.url })
    },
    close: async () => {},
  })

  // Without a prefix, and with files of several parts.
  storageSuite('Google Cloud Storage, in small parts', {
    async open() {
      return gcsStorage({ bucket: await gcs.newBucket(), apiEndpoint: gcs.url, chunkSize: 256 * 1024 })
    },
    close: async () => {},
  })
})
