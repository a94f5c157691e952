import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { createLogger } from '../../config/logger.js'
import { readSettings } from '../../config/settings.js'
import type { S3StorageOptions } from '../../plugin/storage/s3.js'
import { goProgram, VERSITYGW } from '../../scripts/servers/go-program.js'
import { type RunningVersitygw, startVersitygw } from '../../scripts/servers/versitygw.js'
import { openOrSkip } from './real-server.js'

/** A real S3 server for the tests of a suite. The fields may be read in hooks and tests only. */
export interface TestBuckets {
  readonly gateway: RunningVersitygw
  /** May do everything; closed at the end of the suite. */
  readonly client: S3Client
  /** Makes an empty bucket of a new name, and gives the options for a storage in it. */
  newBucket(): Promise<S3StorageOptions & { readonly bucket: string }>
  /** Removes a bucket with all it has, for which S3 itself would ask a lot. */
  removeBucket(bucket: string): Promise<void>
}

/** Call inside a `describe`, above its hooks: gives it a server of its own. Skips it where there can be none. */
export function useVersitygw(): TestBuckets {
  let gateway: RunningVersitygw | undefined
  let client: S3Client | undefined
  let count = 0
  before('start versitygw', async function () {
    const settings = readSettings()
    const logger = createLogger({ logLevel: settings.logLevel })
    const directory = settings.cacheDirectory
    const path = await openOrSkip(this, () => goProgram(VERSITYGW, { directory, logger }))
    gateway = await startVersitygw(path)
    client = new S3Client({ ...access(gateway), forcePathStyle: true })
  })
  after('stop versitygw', async () => {
    client?.destroy()
    await gateway?.stop()
  })
  const opened = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the server is for hooks and tests only, not for describe()')
    return value
  }
  return {
    get gateway() {
      return opened(gateway)
    },
    get client() {
      return opened(client)
    },
    async removeBucket(bucket) {
      const { directory, attributes } = opened(gateway)
      for (const place of [directory, attributes])
        await rm(join(place, bucket), { recursive: true, force: true })
    },
    async newBucket() {
      count += 1
      const bucket = `bucket-${count}`
      await opened(client).send(new CreateBucketCommand({ Bucket: bucket }))
      return { bucket, ...access(opened(gateway)) }
    },
  }
}

function access({ endpoint, region, credentials }: RunningVersitygw) {
  return { endpoint, region, credentials }
}
