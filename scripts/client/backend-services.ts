import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { z } from 'zod'
import { grantIn, renewedToken, type TokenSource } from './access-token.js'
import { ExportFailure } from './failure.js'
import type { SigningKey } from './private-key.js'
import type { SendAnew } from './transport.js'

export interface BackendServicesOptions {
  /** The FHIR base URL, at which the token endpoint is looked up. */
  readonly base: string
  readonly clientId: string
  readonly key: SigningKey
  /** The token endpoint; absent: as `.well-known/smart-configuration` has it. */
  readonly tokenUrl?: string | undefined
  /** Absent: `system/*.rs` where the server says that it knows SMART v2 scopes, else `system/*.read`. */
  readonly scope?: string | undefined
  /** Sends without any token. */
  readonly send: SendAnew
}

interface TokenEndpoint {
  readonly url: string
  readonly scope: string
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const configurationSchema = z.object({
  token_endpoint: z.url({ protocol: /^https?$/ }),
  capabilities: z.array(z.string()).default([]).catch([]),
})

/** Signs in as a SMART backend service: client credentials, `private_key_jwt` (SMART App Launch 2.2.0). */
export function backendServices(options: BackendServicesOptions): TokenSource {
  const { clientId, key, tokenUrl, scope, send } = options
  let endpoint: TokenEndpoint | undefined =
    tokenUrl === undefined ? undefined : { url: tokenUrl, scope: scope ?? 'system/*.read' }
  return renewedToken(async (signal) => {
    endpoint ??= await discover(options)
    const { url, scope: asked } = endpoint
    // An assertion is good for one request, and the answer of that may be what was lost.
    const request = async () => {
      const body = new URLSearchParams({
        ...{ grant_type: 'client_credentials', scope: asked },
        ...{ client_assertion_type: ASSERTION_TYPE, client_assertion: await sign(clientId, key, url) },
      })
      return { method: 'POST', body, headers: { Accept: 'application/json' }, signal }
    }
    return grantIn(await send(url, request))
  })
}

/** Good once, for four minutes: servers refuse those for more than five. */
function sign(clientId: string, { key, algorithm, id }: SigningKey, audience: string): Promise<string> {
  return new SignJWT({ iss: clientId, sub: clientId, aud: audience, jti: randomUUID() })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT', ...(id === undefined ? {} : { kid: id }) })
    .setIssuedAt()
    .setExpirationTime('4m')
    .sign(key)
}

async function discover({ base, scope, send }: BackendServicesOptions): Promise<TokenEndpoint> {
  const url = `${base}/.well-known/smart-configuration`
  const response = await send(url, { headers: { Accept: 'application/json' } })
  const text = await response.text()
  const found = configurationSchema.safeParse(response.status === 200 ? jsonOf(text) : undefined)
  if (!found.success) {
    const why = response.status === 200 ? 'no token_endpoint' : `HTTP ${response.status}`
    throw new ExportFailure('signIn', `${url} names no token endpoint (${why}). Name it by --token-url.`)
  }
  const { token_endpoint, capabilities } = found.data
  if (base.startsWith('https:') && !token_endpoint.startsWith('https:')) {
    const text = `${url} names a token endpoint without TLS. If that is right, name it by --token-url.`
    throw new ExportFailure('signIn', text)
  }
  const usual = capabilities.includes('permission-v2') ? 'system/*.rs' : 'system/*.read'
  return { url: token_endpoint, scope: scope ?? usual }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
