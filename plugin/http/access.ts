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
