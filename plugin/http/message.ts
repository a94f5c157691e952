import type { Readable } from 'node:stream'
import { type ExportError, operationOutcome } from '../errors.js'
import type { ExportLevel } from '../fhir/export-request.js'
import { issuePointer } from '../fhir/fhir-version.js'

/** What is to be exported. */
export interface KickOffTarget {
  readonly level: ExportLevel
  /** As it stands in the URL, decoded and unchecked. */
  readonly groupId?: string
}

/** What the handlers need to know of a request; whatever web framework brought it. */
export interface HttpRequest {
  readonly method: string
  readonly query: URLSearchParams
  /** Public base URL of the FHIR version that was called, such as `https://fhir.example.org/4_0_0`. */
  readonly base: string
  /** Path and query below the public root, such as `/4_0_0/$export?_type=Patient`. */
  readonly path: string
  /** The export that a kick-off is for; absent for requests about an export that there is already. */
  readonly kickOff?: KickOffTarget
  /** The parsed body of a POST; absent when none was sent. */
  readonly body?: unknown
  readonly headers: Readonly<Record<string, string>>
  /** Whoever the host's own middleware found the caller to be. */
  readonly user?: unknown
  /** The request as the web framework has it, for strategies that read more of it. */
  readonly source: unknown
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Readable
}

export const FHIR_JSON = 'application/fhir+json'

/** A JSON answer that no cache keeps. */
export function jsonResponse(
  status: number,
  body: unknown,
  { contentType = FHIR_JSON, headers = {} }: { contentType?: string; headers?: Record<string, string> } = {},
): HttpResponse {
  return {
    status,
    headers: { 'Content-Type': contentType, 'Cache-Control': 'no-store', ...headers },
    body: JSON.stringify(body),
  }
}

/**
 * An error as an OperationOutcome.
 *
 * @param version the FHIR version that was called, as the host core writes it
 */
export function errorResponse(error: ExportError, version: string): HttpResponse {
  const headers = errorHeaders(error)
  return jsonResponse(error.status, operationOutcome(error.issues, issuePointer(version)), { headers })
}

/** What the headers of an answer say about an error, and about when to try again. */
export function errorHeaders(error: ExportError): Record<string, string> {
  return {
    ...(error.retryAfter === undefined ? {} : { 'Retry-After': String(error.retryAfter) }),
    ...(error.challenge === undefined ? {} : { 'WWW-Authenticate': printable(error.challenge) }),
  }
}

/** A challenge that no header can carry would keep the answer from being sent at all. */
function printable(challenge: string): string {
  return /^[\x20-\x7e]+$/.test(challenge) ? challenge : 'Bearer'
}
