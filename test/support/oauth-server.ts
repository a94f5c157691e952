import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as jose from 'jose'
import { type Adapter, type AdapterPayload, type Configuration, Provider } from 'oidc-provider'

/** What a resource server must not accept, though most of it comes close. */
export const BAD_TOKENS = [
  ...['empty', 'garbage', 'with a changed scope', 'expired', 'not yet valid'],
  ...['for another audience', 'of another issuer', 'signed by another key', 'not signed'],
  ...['signed with the public key as a secret', 'a client assertion'],
] as const
export type BadToken = (typeof BAD_TOKENS)[number]

/** A real OAuth server on a free port: client credentials, `private_key_jwt`, signed JWTs as access tokens. */
export interface OAuthServer {
  readonly issuer: string
  /** What its tokens are for. */
  readonly audience: string
  /** Gets a token by a token request that the client has signed, as SMART Backend Services has it. */
  token(client: string, scope: string): Promise<string>
  badToken(kind: BadToken, client: string, scope: string): Promise<string>
  /** The private key of a client, for programs that sign in by themselves. */
  privateJwk(client: string): jose.JWK
  close(): Promise<void>
}

/** SMART Backend Services has servers support this one or RS384. */
const ALGORITHM = 'ES384'
const AUDIENCE = 'https://fhir.example.org/'
const OTHER_AUDIENCE = 'https://other.example.org/'
/** SMART Backend Services: not more than five minutes. */
const LIFETIME = 300
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

interface Key {
  readonly id: string
  readonly privateKey: jose.CryptoKey
  readonly privateJwk: jose.JWK
  readonly publicJwk: jose.JWK
}

/** @param clients the ids of the clients that are registered, each with a key of its own */
export async function startOAuthServer(clients: readonly string[]): Promise<OAuthServer> {
  const [serverKey, strangeKey] = await Promise.all([createKey('server'), createKey('server')])
  const clientKeys = new Map<string, Key>()
  for (const client of clients) clientKeys.set(client, await createKey(client))

  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  server.on('request', new Provider(issuer, configuration(serverKey, clientKeys)).callback())

  async function request(client: string, scope: string, resource: string): Promise<string> {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        ...{ grant_type: 'client_credentials', scope, resource },
        ...{ client_assertion_type: ASSERTION_TYPE, client_assertion: await assertion(client) },
      }),
    })
    const answer = (await response.json()) as { readonly access_token?: string }
    if (answer.access_token === undefined) throw new Error(`No token: ${JSON.stringify(answer)}`)
    return answer.access_token
  }
  const assertion = (client: string) =>
    new jose.SignJWT({ iss: client, sub: client, aud: `${issuer}/token`, jti: randomUUID() })
      .setProtectedHeader({ alg: ALGORITHM, kid: client, typ: 'JWT' })
      .setIssuedAt()
      .setExpirationTime('2m')
      .sign(keyOf(client).privateKey)
  const keyOf = (client: string): Key => {
    const key = clientKeys.get(client)
    if (key === undefined) throw new Error(`There is no client ${client}.`)
    return key
  }
  /** A token like a real one, except for some claims or the key. */
  async function forged(
    like: string,
    change: (now: number) => jose.JWTPayload,
    key: jose.CryptoKey | Uint8Array,
  ) {
    const claims = { ...jose.decodeJwt(like), ...change(Math.floor(Date.now() / 1000)) }
    const alg = key instanceof Uint8Array ? 'HS256' : ALGORITHM
    return new jose.SignJWT(claims).setProtectedHeader({ alg, kid: 'server', typ: 'at+jwt' }).sign(key)
  }

  return {
    ...{ issuer, audience: AUDIENCE },
    token: (client, scope) => request(client, scope, AUDIENCE),
    async badToken(kind, client, scope) {
      const good = await request(client, scope, AUDIENCE)
      const own = serverKey.privateKey
      const same = () => ({})
      const forgeries: Readonly<Record<BadToken, () => string | Promise<string>>> = {
        empty: () => '',
        garbage: () => 'garbage',
        'with a changed scope': () => withScope(good, 'system/*.*'),
        expired: () => forged(good, (now) => ({ iat: now - 3 * LIFETIME, exp: now - LIFETIME }), own),
        'not yet valid': () => forged(good, (now) => ({ nbf: now + LIFETIME, exp: now + 2 * LIFETIME }), own),
        'for another audience': () => request(client, scope, OTHER_AUDIENCE),
        'of another issuer': () => forged(good, () => ({ iss: 'https://issuer.example.org' }), own),
        'signed by another key': () => forged(good, same, strangeKey.privateKey),
        'not signed': () => new jose.UnsecuredJWT(jose.decodeJwt(good)).encode(),
        'signed with the public key as a secret': () =>
          forged(good, same, new TextEncoder().encode(JSON.stringify(serverKey.publicJwk))),
        'a client assertion': () => assertion(client),
      }
      return forgeries[kind]()
    },
    privateJwk: (client) => keyOf(client).privateJwk,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function createKey(id: string): Promise<Key> {
  const { privateKey, publicKey } = await jose.generateKeyPair(ALGORITHM, { extractable: true })
  const describe = async (key: jose.CryptoKey) => {
    return { ...(await jose.exportJWK(key)), kid: id, alg: ALGORITHM, use: 'sig' }
  }
  return { id, privateKey, privateJwk: await describe(privateKey), publicJwk: await describe(publicKey) }
}

function configuration(serverKey: Key, clients: ReadonlyMap<string, Key>): Configuration {
  return {
    adapter: MemoryAdapter,
    jwks: { keys: [{ ...serverKey.privateJwk } as never] },
    clients: [...clients].map(([id, { publicJwk }]) => ({
      client_id: id,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: ALGORITHM,
      jwks: { keys: [publicJwk as never] },
    })),
    // Of no use to these clients, but it must fit the only key.
    clientDefaults: { id_token_signed_response_alg: ALGORITHM },
    enabledJWA: { clientAuthSigningAlgValues: [ALGORITHM], idTokenSigningAlgValues: [ALGORITHM] },
    ttl: { ClientCredentials: LIFETIME },
    cookies: { keys: ['not used'] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // For clients that do not say what their token is for, as SMART has them.
        defaultResource: () => AUDIENCE,
        // It grants whatever is asked for: what a client may have is not the matter of these tests.
        getResourceServerInfo: ({ oidc }, resource) => ({
          scope: String(oidc.params?.['scope'] ?? ''),
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: LIFETIME,
          jwt: { sign: { alg: ALGORITHM } },
        }),
      },
    },
  }
}

/** The payload of a token changed, its signature kept. */
function withScope(token: string, scope: string): string {
  const [header, , signature] = token.split('.')
  const payload = jose.base64url.encode(JSON.stringify({ ...jose.decodeJwt(token), scope }))
  return [header, payload, signature].join('.')
}

/** What has to be remembered: which assertions were used. One of our own, since theirs prints a warning. */
class MemoryAdapter implements Adapter {
  private readonly stored = new Map<string, AdapterPayload>()

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    this.stored.set(id, payload)
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.stored.get(id)
  }

  async findByUserCode(): Promise<undefined> {}
  async findByUid(): Promise<undefined> {}
  async consume(): Promise<void> {}
  async revokeByGrantId(): Promise<void> {}

  async destroy(id: string): Promise<void> {
    this.stored.delete(id)
  }
}
