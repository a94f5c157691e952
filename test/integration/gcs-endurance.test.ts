import { expect } from 'chai'
import { gcsStorage } from '../../plugin/storage/gcs.js'
import { measureElsewhere } from '../suites/storage-endurance-process.js'
import { type StorageRecipe, storageEnduranceSuite } from '../suites/storage-endurance-suite.js'
import { useFakeGcs } from './gcs-server.js'

const MEGABYTE = 1024 * 1024
const PART = 8 * MEGABYTE

describe('Google Cloud Storage', () => {
  const gcs = useFakeGcs()
  let bucket: string
  const recipe = (chunkSize = PART): StorageRecipe => ({
    module: new URL('../../plugin/storage/gcs.ts', import.meta.url).href,
    factory: 'gcsStorage',
    argument: { bucket, apiEndpoint: gcs.url, chunkSize },
  })
  const open = async () => {
    bucket = await gcs.newBucket()
    return gcsStorage({ bucket, apiEndpoint: gcs.url })
  }
  const close = () => gcs.server.removeBucket(bucket)

  describe('a large file', () => {
    beforeEach('open', open)
    afterEach('close', close)

    it('needs two parts of memory, and what Node takes', async () => {
      const bytes = 256 * MEGABYTE
      const found = await measureElsewhere({ recipe: recipe(2 * PART), key: 'job/large', bytes })
      expect(found.found).to.equal(found.written)
      expect(found.peak - found.before, 'more memory, in bytes').to.be.below(100 * MEGABYTE)
    }).timeout(120_000)
  })

  describe('with all the rest', () => {
    beforeEach(async function () {
      // For each part, fake-gcs-server reads again all it was sent before: 1 GB takes it minutes.
      if (this.currentTest?.title.includes('1 GB')) this.skip()
    })

    storageEnduranceSuite('Google Cloud Storage', {
      open,
      close,
      recipe,
      everything: () => gcs.files(bucket),
      async restart() {
        await gcs.server.kill()
        await gcs.server.restart()
      },
      partSize: PART,
    })
  })
})
