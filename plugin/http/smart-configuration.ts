import { type HttpResponse, jsonResponse } from './message.js'

/** The fields of a SMART configuration document. */
export type SmartConfiguration = Readonly<Record<string, unknown>>

/** What the document is made of. */
export interface SmartSettings {
  /** `config.security` of the host: a list of `{ url, valueUri }`, as the core puts it into its statement. */
  readonly security?: unknown
  /** Whether anything on this server asks for a token. */
  readonly isProtected: boolean
  /** Fields to add or to put in the place of others; `false`: there is no document. */
  readonly given?: SmartConfiguration | false | undefined
}

/** Names in the `oauth-uris` extension, and those of the same endpoints in the document. */
const ENDPOINTS: Readonly<Record<string, string>> = {
  token: 'token_endpoint',
  authorize: 'authorization_endpoint',
  register: 'registration_endpoint',
  manage: 'management_endpoint',
  introspect: 'introspection_endpoint',
  revoke: 'revocation_endpoint',
}

/** What SMART Backend Services demands of every server, and the scopes that exports go by. */
const BACKEND_SERVICES: SmartConfiguration = {
  grant_types_supported: ['client_credentials'],
  token_endpoint_auth_methods_supported: ['private_key_jwt'],
  token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
  scopes_supported: ['system/*.read', 'system/*.rs'],
  capabilities: ['client-confidential-asymmetric', 'permission-v1', 'permission-v2'],
}

/**
 * The document by which backend clients find the token endpoint (SMART App Launch 2.2.0, Conformance and Backend
 * Services, "Retrieve .well-known/smart-configuration").
 *
 * @returns `undefined` for a server that asks for no tokens, or that names no token endpoint
 */
export function smartConfiguration({
  security,
  isProtected,
  given = {},
}: SmartSettings): SmartConfiguration | undefined {
  if (!isProtected || given === false) return undefined
  const own = Object.entries(given).filter(([, value]) => value !== undefined)
  const document = { ...endpointsIn(security), ...BACKEND_SERVICES, ...Object.fromEntries(own) }
  return 'token_endpoint' in document ? document : undefined
}

/** The document as every client gets it: SMART has it in plain JSON, and readable for pages of any origin. */
export function smartConfigurationResponse(document: SmartConfiguration): HttpResponse {
  const length = Buffer.byteLength(JSON.stringify(document))
  return jsonResponse(200, document, {
    contentType: 'application/json',
    // Node does not count what it leaves out for HEAD.
    headers: { 'Access-Control-Allow-Origin': '*', 'Content-Length': String(length) },
  })
}

function endpointsIn(security: unknown): SmartConfiguration {
  const entries = (Array.isArray(security) ? security : []) as readonly unknown[]
  return Object.fromEntries(
    entries.flatMap((entry) => {
      const { url, valueUri } = (entry ?? {}) as { readonly url?: unknown; readonly valueUri?: unknown }
      const name = typeof url === 'string' && Object.hasOwn(ENDPOINTS, url) ? ENDPOINTS[url] : undefined
      return name !== undefined && isHttpUrl(valueUri) ? [[name, valueUri] as const] : []
    }),
  )
}

/** A relative one, which SMART 1.0 let pass, would lead clients astray: this document has two addresses. */
function isHttpUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:\/\/\S+$/i.test(value) && URL.canParse(value)
}
