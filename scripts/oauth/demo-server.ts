import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import * as jose from 'jose'

/** SMART Backend Services has servers support this one or RS384. */
const ALGORITHM = 'ES384'
/** Of access tokens and of assertions, in seconds: SMART Backend Services has five minutes at most. */
const LIFETIME = 300
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Exports read, so nothing else is given out. */
const READING = /^system\/(\*|[A-Z][A-Za-z]+)\.(read|rs?|s)$/
const MAX_BODY = 16_384

/** A key pair, as JWKs. */
export interface KeyPair {
  readonly privateJwk: jose.JWK
  readonly publicJwk: jose.JWK
}

export interface DemoServerOptions {
  /** Where clients reach it, without a slash at the end. */
  readonly issuer: string
  /** What its tokens are for. */
  readonly audience: string
  /** The public keys of clients by their ids. */
  readonly clients: ReadonlyMap<string, jose.JWK>
}

/** A token request is refused; `code` is one of RFC 6749, 5.2. */
class Refusal extends Error {
  constructor(
    readonly status: 400 | 401,
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** A new key for ES384, named `id`. */
export async function createKeyPair(id: string): Promise<KeyPair> {
  const pair = await jose.generateKeyPair(ALGORITHM, { extractable: true })
  const describe = async (key: jose.CryptoKey) => ({
    ...(await jose.exportJWK(key)),
    ...{ kid: id, alg: ALGORITHM, use: 'sig' },
  })
  return { privateJwk: await describe(pair.privateKey), publicJwk: await describe(pair.publicKey) }
}

/**
 * An authorisation server for demonstrations: SMART Backend Services and no more, with a signing key that is gone with
 * the process. `POST /token` and `GET /jwks`.
 */
export async function createDemoServer({ issuer, audience, clients }: DemoServerOptions): Promise<Server> {
  const own = await createKeyPair(randomUUID())
  const signingKey = await jose.importJWK(own.privateJwk, ALGORITHM)
  const used = new Map<string, number>()

  const grant = async (request: IncomingMessage) => {
    const form = new URLSearchParams(await limitedText(request))
    if (form.get('grant_type') !== 'client_credentials') {
      throw new Refusal(400, 'unsupported_grant_type', 'Only client_credentials.')
    }
    const client = await clientOf(form, { token: `${issuer}/token`, clients, used })
    const scope = (form.get('scope') ?? '').split(' ').filter((word) => READING.test(word))
    if (scope.length === 0) throw new Refusal(400, 'invalid_scope', 'None of these scopes can be had.')
    const token = await new jose.SignJWT({ scope: scope.join(' '), client_id: client })
      .setProtectedHeader({ alg: ALGORITHM, kid: String(own.publicJwk.kid), typ: 'at+jwt' })
      .setIssuer(issuer)
      .setSubject(client)
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(`${LIFETIME}s`)
      .sign(signingKey)
    return { access_token: token, token_type: 'bearer', expires_in: LIFETIME, scope: scope.join(' ') }
  }

  return createServer((request, response) => {
    const route = `${request.method} ${request.url}`
    if (route === 'GET /jwks') send(response, 200, { keys: [own.publicJwk] })
    else if (route !== 'POST /token') send(response, 404, { error: 'not_found' })
    else {
      grant(request).then(
        (token) => send(response, 200, token),
        (error: unknown) => {
          const { status, code, message } =
            error instanceof Refusal ? error : { status: 500, code: 'server_error', message: 'It failed.' }
          send(response, status, { error: code, error_description: message })
        },
      )
    }
  })
}

/** The client that has signed the assertion of a token request, which counts once. */
async function clientOf(
  form: URLSearchParams,
  {
    token,
    clients,
    used,
  }: {
    readonly token: string
    readonly clients: DemoServerOptions['clients']
    readonly used: Map<string, number>
  },
): Promise<string> {
  const refused = (why: string) => new Refusal(401, 'invalid_client', why)
  const assertion = form.get('client_assertion') ?? ''
  if (form.get('client_assertion_type') !== ASSERTION_TYPE) throw refused('A client assertion is needed.')
  let client: string | undefined
  let claims: jose.JWTPayload
  try {
    client = jose.decodeJwt(assertion).sub
    const key = clients.get(client ?? '')
    if (client === undefined || key === undefined) throw new Error('unknown')
    const { payload } = await jose.jwtVerify(assertion, await jose.importJWK(key, ALGORITHM), {
      ...{ issuer: client, subject: client, audience: token, algorithms: [ALGORITHM] },
      ...{ requiredClaims: ['exp', 'jti'] },
    })
    claims = payload
  } catch {
    throw refused('The client is unknown, or its assertion is not valid.')
  }
  const now = Date.now() / 1000
  const { exp = 0, jti = '' } = claims
  if (exp > now + LIFETIME) throw refused('The assertion is valid for more than five minutes.')
  for (const [id, until] of used) if (until < now) used.delete(id)
  const id = JSON.stringify([client, jti])
  if (used.has(id)) throw refused('The assertion was used before.')
  used.set(id, exp)
  return client
}

async function limitedText(request: IncomingMessage): Promise<string> {
  const length = Number(request.headers['content-length'] ?? Number.NaN)
  if (!(length <= MAX_BODY))
    throw new Refusal(400, 'invalid_request', 'The body is too long, or has no length.')
  return text(request)
}

function send(response: ServerResponse, status: number, body: object): void {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  response.writeHead(status, headers).end(JSON.stringify(body))
}
