import { fixedToken, type TokenSource } from './access-token.js'
import { backendServices } from './backend-services.js'
import { type BulkClient, bulkClient } from './bulk-client.js'
import { readPrivateKey } from './private-key.js'
import type { ExportSettings, SignIn } from './settings.js'
import { createTransport, type Transport } from './transport.js'

/** A client that is signed in as the settings say. */
export interface Connection {
  readonly client: BulkClient
  readonly transport: Transport
}

/**
 * Asks nothing of the server yet.
 *
 * @param signal ends all that the connection does
 * @throws ExportFailure `usage` when the key file cannot be used
 */
export async function connect(
  { base, headers, allowOtherOrigin, retries, signIn }: ExportSettings,
  signal: AbortSignal,
  onRetry: (text: string) => void,
): Promise<Connection> {
  const options = { base, headers, allowOtherOrigin, retries, signal, onRetry }
  const { plain } = createTransport(options)
  const token = await tokenSource(signIn, base, plain)
  const transport = createTransport({ ...options, token })
  return { transport, client: bulkClient(base, transport.withToken) }
}

async function tokenSource(
  signIn: SignIn,
  base: string,
  send: Transport['plain'],
): Promise<TokenSource | undefined> {
  if (signIn.kind === 'none') return undefined
  if (signIn.kind === 'token') return fixedToken(signIn.token)
  const { clientId, keyFile, keyId, tokenUrl, scope } = signIn
  const key = await readPrivateKey(keyFile, keyId)
  return backendServices({ base, clientId, key, tokenUrl, scope, send })
}
