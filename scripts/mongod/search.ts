import type { Logger } from 'winston'
import type { MongodBinary } from './binary.js'
import type { MongodSource } from './source.js'

/** There is no MongoDB to work with; the message says of each way why. */
export class MongoDBNotFoundError extends Error {
  override readonly name = 'MongoDBNotFoundError'
}

interface Found<T> {
  readonly source: MongodSource
  readonly binary: MongodBinary
  readonly result: T
}

/**
 * Gives the first `mongod` that can be had to `open`, and the next one when `open` rejects. What is on the machine
 * comes first, in the order of the sources, and the network only when nothing there is of use: so the second
 * start is quick, and a machine that could not download from the first source once does not try it each time.
 * @throws MongoDBNotFoundError when there is no more to try
 * @throws the signal's reason, as soon as it is aborted
 */
export async function startFirst<T>(
  sources: readonly MongodSource[],
  open: (binary: MongodBinary) => Promise<T>,
  options: { readonly logger: Logger; readonly signal?: AbortSignal },
): Promise<Found<T>> {
  const { logger, signal } = options
  const reasons = new Map<MongodSource, string>()
  for (const step of ['present', 'fetch'] as const) {
    for (const source of sources) {
      signal?.throwIfAborted()
      try {
        const binary = await source[step]?.(signal)
        if (binary) return { source, binary, result: await open(binary) }
      } catch (error) {
        signal?.throwIfAborted()
        const reason = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')
        reasons.set(source, reason)
        logger.warn('mongodb.source-failed', { source: source.name, reason })
      }
    }
  }
  throw new MongoDBNotFoundError(explain(sources, reasons))
}

function explain(sources: readonly MongodSource[], reasons: ReadonlyMap<MongodSource, string>): string {
  const why = (source: MongodSource) => reasons.get(source) ?? source.absence ?? 'there is none'
  const lines = sources.map((source) => `  - ${source.title}: ${why(source)}`)
  return [
    'No MongoDB was found, and none could be started. These ways were tried:',
    '  - a server named by MONGODB_URI: the variable is not set',
    ...lines,
    'Set MONGODB_URI to a replica set of yours, or make one of the other ways work.',
  ].join('\n')
}
