import { expect } from 'chai'
import { s3Storage } from '../../plugin/storage/s3.js'
import { storageSuite } from '../suites/storage-suite.js'
import { pendingUploads } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'

describe('S3', () => {
  const buckets = useVersitygw()
  let bucket: string

  for (const [name, prefix] of [
    ['a bucket', undefined],
    ['a prefix in a bucket', 'exports/fhir ä'],
  ] as const) {
    storageSuite(name, {
      async open() {
        const options = await buckets.newBucket()
        bucket = options.bucket
        return s3Storage({ ...options, ...(prefix !== undefined && { prefix }) })
      },
      async close() {
        expect(await pendingUploads(buckets.client, bucket)).to.deep.equal([])
      },
    })
  }
})
