import { s3Storage } from '../../plugin/storage/s3.js'
import { storageEnduranceSuite } from '../suites/storage-endurance-suite.js'
import { objectsOf, pendingUploads } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'

describe('S3 at length', () => {
  const buckets = useVersitygw()
  let options: Awaited<ReturnType<typeof buckets.newBucket>>

  storageEnduranceSuite('a bucket', {
    async open() {
      options = await buckets.newBucket()
      return s3Storage(options)
    },
    close: () => buckets.removeBucket(options.bucket),
    recipe: () => ({
      module: new URL('../../plugin/storage/s3.ts', import.meta.url).href,
      factory: 's3Storage',
      argument: options,
    }),
    async everything() {
      const pending = await pendingUploads(buckets.client, options.bucket)
      const half = pending.map((name) => `pending upload of ${name}`)
      return [...(await objectsOf(buckets.client, options.bucket)), ...half]
    },
    async restart() {
      await buckets.gateway.kill()
      await buckets.gateway.start()
    },
  })
})
