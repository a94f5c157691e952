import { ExportError } from '../errors.js'
import type { Authorize, AuthorizeOperator, Operator } from './access.js'
import type { HttpRequest } from './message.js'

/**
 * Finds out who wants to operate.
 *
 * @throws ExportError what the host's function throws, and 403 when it does not say who it is: a function that forgets
 * to answer lets nobody in
 */
export async function requireOperator(
  request: HttpRequest,
  authorize: AuthorizeOperator,
  authorizeExport: Authorize,
): Promise<Operator> {
  const operator = (await authorize(request, authorizeExport)) as Partial<Operator> | null | undefined
  const id: unknown = operator?.id
  if (typeof id === 'string' && id !== '') return { id }
  throw new ExportError(403, 'You may not operate the exports of this server.', { code: 'forbidden' })
}

/**
 * Demands that a form came from a page of this server. Browsers send cookies and passwords along with forms of other
 * sites, but say where a form comes from, and no site can make them say otherwise.
 *
 * @throws ExportError 403
 */
export function requireSameOrigin({ headers, base }: Pick<HttpRequest, 'headers' | 'base'>): void {
  const site = headers['sec-fetch-site']
  const isOwn = site === undefined ? headers['origin'] === new URL(base).origin : site === 'same-origin'
  if (isOwn) return
  const remedy = 'Behind a proxy, the option baseUrl or "trust proxy" of Express has to be right.'
  throw new ExportError(403, `This request did not come from a page of this server. ${remedy}`, {
    code: 'forbidden',
  })
}
