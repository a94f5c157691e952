import { versionOf } from '../fhir/base-url.js'
import type { Caller } from './search-adapter.js'

/** What a service finds at `context.req`: the part of an Express request that a search would have brought. */
export interface HostRequest {
  readonly method: 'GET'
  readonly url: string
  readonly originalUrl: string
  readonly path: string
  readonly baseUrl: string
  readonly protocol: string
  readonly secure: boolean
  readonly hostname: string
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | string[]>>
  readonly params: { readonly base_version: string }
  readonly body: Readonly<Record<string, never>>
  readonly user: unknown
  get(name: string): string | undefined
  header(name: string): string | undefined
}

/**
 * The request `GET [base]/[type]?[params]` as the host's own middleware would hand it to a service, made on
 * behalf of the caller of the kick-off. Host name and protocol are those of the public base URL.
 *
 * @param base the FHIR base URL, whose last path segment is the version
 */
export function hostRequest(
  base: string,
  type: string,
  params: URLSearchParams,
  caller: Caller,
): HostRequest {
  const { protocol, host, hostname, pathname } = new URL(base)
  const path = `${pathname}/${type}`
  const text = params.toString()
  const url = text === '' ? path : `${path}?${text}`
  const headers = { ...caller.headers, host, accept: 'application/fhir+json' }
  const get = (name: string) => (headers as Record<string, string>)[name.toLowerCase()]
  return {
    method: 'GET',
    url,
    originalUrl: url,
    path,
    baseUrl: '',
    protocol: protocol.slice(0, -1),
    secure: protocol === 'https:',
    hostname,
    headers,
    query: queryOf(params),
    params: { base_version: versionOf(base) },
    body: {},
    user: caller.user,
    get,
    header: get,
  }
}

function queryOf(params: URLSearchParams): Record<string, string | string[]> {
  const names = [...new Set(params.keys())]
  return Object.fromEntries(
    names.map((name) => {
      const values = params.getAll(name)
      return [name, values.length === 1 ? (values[0] as string) : values]
    }),
  )
}
