import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { MongoMemoryReplSet, MongoMemoryServer } from 'mongodb-memory-server-core'
import { alignSystemBinary } from '../../config/memory-server.js'
import type { MongodBinary } from './binary.js'
import { createDataDirectory, removal } from './data-directory.js'
import { beforeExit } from './exit-guard.js'

/** Milliseconds a `mongod` may take to accept connections; a busy machine needs more than the library's ten. */
const LAUNCH_TIMEOUT = 60_000

/** A `mongod` this process started. */
export interface RunningServer {
  readonly uri: string
  /** Ends the server and removes its data. A second call does nothing. */
  stop(): Promise<void>
}

/**
 * Starts `binary` on a free port of 127.0.0.1, with an empty database in a temporary folder. It ends with this
 * process however that ends: see `beforeExit`; and when this process is killed the hard way, a watcher of
 * mongodb-memory-server ends the server within about two seconds, and the folder stays until the next start.
 */
export async function startServer(
  binary: MongodBinary,
  options: { readonly replicaSet: boolean },
): Promise<RunningServer> {
  alignSystemBinary(binary.path)
  const dbPath = await createDataDirectory()
  const server = options.replicaSet ? replicaSet(binary, dbPath) : standalone(binary, dbPath)
  const release = beforeExit(() => {
    const mongod = server instanceof MongoMemoryReplSet ? server.servers[0] : server
    mongod?.instanceInfo?.instance.mongodProcess?.kill('SIGKILL')
    rmSync(dbPath, removal)
  })
  const stop = async () => {
    await server.stop({ doCleanup: false })
    await rm(dbPath, removal)
    release()
  }
  try {
    await server.start()
  } catch (error) {
    await stop()
    throw error
  }
  let stopped: Promise<void> | undefined
  return {
    uri: server.getUri(),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** The version is given so that the library neither compares it with the one it would download nor warns. */
function binaryOptions({ path, version }: MongodBinary) {
  return { systemBinary: path, version }
}

function instanceOptions(dbPath: string) {
  const args = process.platform === 'win32' ? [] : ['--nounixsocket']
  return { dbPath, args, storageEngine: 'wiredTiger' as const, launchTimeout: LAUNCH_TIMEOUT }
}

function replicaSet(binary: MongodBinary, dbPath: string): MongoMemoryReplSet {
  return new MongoMemoryReplSet({
    binary: binaryOptions(binary),
    instanceOpts: [instanceOptions(dbPath)],
    replSet: { count: 1, name: 'rs0', storageEngine: 'wiredTiger', ip: '127.0.0.1' },
  })
}

function standalone(binary: MongodBinary, dbPath: string): MongoMemoryServer {
  return new MongoMemoryServer({
    binary: binaryOptions(binary),
    instance: { ...instanceOptions(dbPath), ip: '127.0.0.1' },
  })
}
