import { ExportError } from '../errors.js'

/** How a request came in, as far as it tells the URL under which clients know this server. */
export interface Arrival {
  /** `http` or `https`, or whatever a trusted proxy said in `X-Forwarded-Proto`. */
  readonly protocol: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Whether the host trusts what is at the other end of the connection (`trust proxy` of Express). */
  readonly isFromTrustedProxy: boolean
}

const HOST = /^([\w.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i
const PORT = /^[1-9]\d{0,4}$/
/** Segments of unreserved characters (RFC 3986, 2.3). */
const PREFIX = /^(\/[\w.~-]+)*\/?$/
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * The URL under which the client sees the root of this server, without a slash at its end: as the client wrote it
 * in `Host`, or as a trusted proxy says in `X-Forwarded-Host`, `-Port` and `-Prefix`. The first of several values
 * is that of the proxy which the client spoke to. Of prefixes all count, in their order: each proxy names what it
 * has taken off the path itself.
 *
 * @throws ExportError 400 for a header that does not have the form it should have; links to anywhere could be
 * smuggled into manifests with it
 */
export function publicUrl({ protocol, headers, isFromTrustedProxy }: Arrival): string {
  const forwarded = (name: string) =>
    isFromTrustedProxy ? [headers[`x-forwarded-${name}`] ?? []].flat().join(',') : ''
  const scheme = protocol.toLowerCase()
  const defaultPort = DEFAULT_PORTS[scheme]
  if (defaultPort === undefined) throw malformed('X-Forwarded-Proto', 'neither http nor https')
  const forwardedHost = firstOf(forwarded('host'))
  const host = forwardedHost ?? [headers['host'] ?? ''].flat().join()
  const [isHost, , ownPort] = HOST.exec(host) ?? []
  if (isHost === undefined || !URL.canParse(`${scheme}://${host}`)) {
    const header = forwardedHost === undefined ? 'Host' : 'X-Forwarded-Host'
    throw malformed(header, 'not a host name with an optional port')
  }
  const port = firstOf(forwarded('port')) ?? defaultPort
  if (!PORT.test(port) || Number(port) > 65_535) throw malformed('X-Forwarded-Port', 'not a port')
  const addsPort = ownPort === undefined && port !== defaultPort
  return `${scheme}://${host}${addsPort ? `:${port}` : ''}${prefixOf(forwarded('prefix'))}`
}

function firstOf(list: string): string | undefined {
  return list.trim() === '' ? undefined : list.split(',')[0]?.trim()
}

function prefixOf(list: string): string {
  const prefixes = list.split(',').map((prefix) => prefix.trim())
  const isPath = (prefix: string) => PREFIX.test(prefix) && !/\/\.\.?(\/|$)/.test(prefix)
  if (!prefixes.every(isPath)) {
    throw malformed('X-Forwarded-Prefix', 'not a path such as /fhir of letters, digits and -._~')
  }
  return prefixes.map((prefix) => prefix.replace(/\/$/, '')).join('')
}

function malformed(header: string, what: string): ExportError {
  return new ExportError(400, `The ${header} header is ${what}.`, { code: 'invalid', expression: header })
}
