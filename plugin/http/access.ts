import type { GrantedTypes } from '../fhir/smart-scopes.js'
import type { HttpRequest } from './message.js'

/** Who calls, and what they may export. */
export interface Access {
  /**
   * Tells clients apart: a job belongs to the client that started it. Absent on a server that protects nothing,
   * where whoever knows the URL of a job may use it.
   */
  readonly clientId?: string
  /** What the services find at `req.user`, also in a worker; must survive JSON. */
  readonly user?: unknown
  readonly types: GrantedTypes
}

/**
 * The one rule that guards kick-off, status, files and DELETE.
 *
 * @throws ExportError 401 for a caller that cannot be identified, 403 for one that may not export at all
 */
export type Authorize = (request: HttpRequest) => Promise<Access>

/** Somebody who may see and cancel all exports of a server. */
export interface Operator {
  /** Tells operators apart, such as a user name: in the log with each export that they cancel, and on the page. */
  readonly id: string
}

/**
 * Decides who may see the operator's page and cancel exports there, at each request.
 *
 * @param authorizeExport the rule that guards exports: rejects with 401 for nobody, gives whoever else it is
 * @throws ExportError 401 for a caller that cannot be identified, with a `challenge` if a browser shall ask for a
 * password; 403 for one that may not operate
 */
export type AuthorizeOperator = (
  request: HttpRequest,
  authorizeExport: Authorize,
) => Operator | Promise<Operator>
