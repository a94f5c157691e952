import { Readable } from 'node:stream'
import { ContainerClient } from '@azure/storage-blob'
import { azureStorage } from '../../../plugin/storage/azure.js'
import { startAzurite } from '../../servers/azurite.js'
import type { Contest } from './contest.js'

const CONTAINER = 'bench'
/** As ours. */
const BLOCK = 8 * 1024 * 1024
const AT_ONCE = 4

/** Against the SDK's `uploadStream` with the same size and number of blocks. */
export async function azureContest(): Promise<Contest> {
  const { connectionString, stop } = await startAzurite()
  const container = new ContainerClient(connectionString, CONTAINER)
  await container.create()
  return {
    ...{ name: 'Azure', rival: 'uploadStream', close: stop },
    storage: azureStorage({ connectionString, container: CONTAINER }),
    async upload(key, source) {
      await container.getBlockBlobClient(key).uploadStream(Readable.from(source), BLOCK, AT_ONCE)
    },
  }
}
