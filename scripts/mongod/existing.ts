import { MongoClient } from 'mongodb'
import { redactCredentials } from '../../config/redact.js'

/** Milliseconds a server named by the user may take to answer, unless its connection string gives it longer. */
const ANSWER_TIMEOUT = 5_000

/** A server somebody else runs. */
export interface ExistingServer {
  readonly version: string
  /** False for a standalone server, which has neither change streams nor transactions. */
  readonly replicaSet: boolean
}

/**
 * Asks the server at `uri` what it is.
 * @throws Error that says, without credentials, why it cannot be used
 */
export async function probeServer(uri: string, signal?: AbortSignal): Promise<ExistingServer> {
  const shown = redactCredentials(uri)
  let client: MongoClient | undefined
  try {
    const ownTimeout = /[?&]serverSelectionTimeoutMS=/i.test(uri)
    client = new MongoClient(uri, ownTimeout ? {} : { serverSelectionTimeoutMS: ANSWER_TIMEOUT })
    const admin = client.db('admin')
    const abortable = signal ? { signal } : {}
    const hello = await admin.command({ hello: 1 }, abortable)
    const { version } = await admin.command({ buildInfo: 1 }, abortable)
    return { version: String(version), replicaSet: 'setName' in hello || hello['msg'] === 'isdbgrid' }
  } catch (cause) {
    signal?.throwIfAborted()
    const reason = cause instanceof Error ? cause.message.replaceAll(uri, shown) : String(cause)
    throw new Error(
      `MONGODB_URI is set to ${shown}, which cannot be used: ${reason}. ` +
        'Start that server, correct the variable, or unset it to let this program find a MongoDB by itself.',
      { cause },
    )
  } finally {
    await client?.close()
  }
}
