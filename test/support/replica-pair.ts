import { MongoClient } from 'mongodb'
import { MongoMemoryReplSet } from 'mongodb-memory-server-core'
import { createLogger } from '../../config/logger.js'
import { readSettings } from '../../config/settings.js'
import { startFirst } from '../../scripts/mongod/search.js'
import { mongodSources } from '../../scripts/mongod/sources.js'

/** A primary and a secondary that can be kept from following it. */
export interface ReplicaPair {
  readonly client: MongoClient
  /** Writes of the primary do not reach the secondary until `follow`. */
  lag(): Promise<void>
  follow(): Promise<void>
  stop(): Promise<void>
}

export async function startReplicaPair(): Promise<ReplicaPair> {
  const settings = readSettings()
  const logger = createLogger({ logLevel: 'warn' })
  const { result } = await startFirst(mongodSources({ settings, logger }), open, { logger })
  const client = await MongoClient.connect(result.getUri())
  const { passives } = await client.db('admin').command({ hello: 1 })
  const secondary = await MongoClient.connect(`mongodb://${(passives as string[])[0]}/?directConnection=true`)
  const applying = (mode: 'alwaysOn' | 'off') =>
    secondary.db('admin').command({ configureFailPoint: 'rsSyncApplyStop', mode })
  return {
    client,
    lag: async () => void (await applying('alwaysOn')),
    follow: async () => void (await applying('off')),
    async stop() {
      await secondary.close()
      await client.close()
      await result.stop({ doCleanup: true, force: true })
    },
  }
}

async function open({ path, version }: { readonly path: string; readonly version: string }) {
  const args = ['--nounixsocket', '--setParameter', 'enableTestCommands=1']
  const member = { args, storageEngine: 'wiredTiger' as const, launchTimeout: 60_000 }
  return MongoMemoryReplSet.create({
    binary: { systemBinary: path, version },
    instanceOpts: [member, { ...member, replicaMemberConfig: { priority: 0 } }],
    replSet: { count: 2, name: 'pair', ip: '127.0.0.1', storageEngine: 'wiredTiger' },
  })
}
