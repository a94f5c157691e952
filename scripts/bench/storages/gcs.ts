import { pipeline } from 'node:stream/promises'
import { Storage } from '@google-cloud/storage'
import type { Logger } from 'winston'
import { gcsStorage } from '../../../plugin/storage/gcs.js'
import { startFakeGcs } from '../../servers/fake-gcs.js'
import { FAKE_GCS_SERVER, goProgram } from '../../servers/go-program.js'
import type { Contest } from './contest.js'

const BUCKET = 'bench'

/** Against the SDK's resumable write stream with the same size of chunks. */
export async function gcsContest(directory: string, logger: Logger): Promise<Contest> {
  const server = await startFakeGcs(await goProgram(FAKE_GCS_SERVER, { directory, logger }))
  await server.createBucket(BUCKET)
  const bucket = new Storage({ apiEndpoint: server.url, projectId: 'bench' }).bucket(BUCKET)
  return {
    ...{ name: 'Google', rival: 'createWriteStream', close: () => server.stop() },
    storage: gcsStorage({ bucket: BUCKET, apiEndpoint: server.url }),
    async upload(key, source) {
      await pipeline(
        source,
        bucket.file(key).createWriteStream({ resumable: true, chunkSize: 8 * 1024 * 1024 }),
      )
    },
  }
}
