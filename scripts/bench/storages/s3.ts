import { Readable } from 'node:stream'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import type { Logger } from 'winston'
import { s3Storage } from '../../../plugin/storage/s3.js'
import { goProgram, VERSITYGW } from '../../servers/go-program.js'
import { startVersitygw } from '../../servers/versitygw.js'
import type { Contest } from './contest.js'

const BUCKET = 'bench'

/** Against `lib-storage` with the same size and number of parts. */
export async function s3Contest(directory: string, logger: Logger): Promise<Contest> {
  const gateway = await startVersitygw(await goProgram(VERSITYGW, { directory, logger }))
  const { endpoint, region, credentials } = gateway
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  return {
    ...{ name: 'S3', rival: '@aws-sdk/lib-storage' },
    storage: s3Storage({ bucket: BUCKET, endpoint, region, credentials }),
    async upload(Key, source) {
      const params = { Bucket: BUCKET, Key, Body: Readable.from(source) }
      await new Upload({ client, params, partSize: 8 * 1024 * 1024, queueSize: 3 }).done()
    },
    async close() {
      client.destroy()
      await gateway.stop()
    },
  }
}
