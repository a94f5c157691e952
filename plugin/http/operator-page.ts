import { STATUS_CODES } from 'node:http'
import type { Logger } from 'winston'
import { describeError, ExportError, toExportError } from '../errors.js'
import type { Engine } from '../jobs/engine.js'
import type { ExportDetails, ExportView, ListQuery } from '../jobs/export-view.js'
import type { JobStatus } from '../jobs/model.js'
import type { Authorize, AuthorizeOperator, Operator } from './access.js'
import { html } from './html.js'
import { errorHeaders, type HttpRequest, type HttpResponse } from './message.js'
import { requireOperator, requireSameOrigin } from './operator-access.js'
import { confirmationOf, isCancellable } from './operator-cancel.js'
import { detailsOf } from './operator-details.js'
import { documentResponse, pageHeaders } from './operator-document.js'
import { listOf } from './operator-list.js'
import { STATES, shortId } from './operator-text.js'

export interface OperatorPageDependencies {
  /** @throws ExportError 503 while the server is starting */
  engine(): Engine
  readonly authorize: AuthorizeOperator
  /** The rule that guards exports. */
  readonly authorizeExport: Authorize
  readonly logger: Logger
}

/**
 * Answers a request for the operator's page, whose public URL is the request's `base`: `/` lists exports, `/[job]` has one of
 * them, and `/[job]/cancel` asks before it cancels one. Errors are pages too; it never rejects.
 */
export type OperatorPage = (request: HttpRequest) => Promise<HttpResponse>

/** Exports on one page of the list. */
const LISTED = 100
/** In seconds. */
const RELOAD = '10'
const JOB_ID = /^[0-9a-f]{32}$/

export function operatorPage(dependencies: OperatorPageDependencies): OperatorPage {
  return async (request) => {
    try {
      return await answer(request, dependencies)
    } catch (error) {
      return errorPage(request, error, dependencies.logger)
    }
  }
}

/** An error for the eyes of a person, also for one that kept a request from becoming an `HttpRequest`. */
export function errorPage(
  request: Pick<HttpRequest, 'method' | 'base' | 'path'>,
  error: unknown,
  logger: Logger,
): HttpResponse {
  const answered = toExportError(error)
  const { status } = answered
  if (status >= 500) {
    const { method, path } = request
    logger.error('request.failed', { method, path, status, error: describeError(error) })
  }
  const headers = {
    'Cache-Control': 'no-store',
    ...errorHeaders(answered),
    ...(status === 405 && { Allow: allowedAt(request.path) }),
  }
  const title = `${status} ${STATUS_CODES[status] ?? 'Failed'}`
  const home = homeOf(request)
  const main = html`<div class="narrow"><h1>${title}</h1>
${answered.issues.map(({ diagnostics }) => html`<p class="notice bad">${diagnostics}</p>`)}
<p class="actions"><a class="button" href="${home}">All exports</a></p></div>`
  return documentResponse(status, { title, home, main }, headers)
}

async function answer(request: HttpRequest, dependencies: OperatorPageDependencies): Promise<HttpResponse> {
  const operator = await requireOperator(request, dependencies.authorize, dependencies.authorizeExport)
  const [job, action, ...rest] = request.path
    .replace(/\?.*$/s, '')
    .split('/')
    .filter((segment) => segment !== '')
  if (job === undefined) {
    requireMethod(request)
    return listPage(request, operator, dependencies)
  }
  if (!JOB_ID.test(job) || rest.length > 0 || (action !== undefined && action !== 'cancel')) throw notFound()
  requireMethod(request)
  if (action === undefined) {
    const details = await found(job, dependencies)
    const home = homeOf(request)
    return livePage(request, operator, `Export ${shortId(job)}`, detailsOf(details, home))
  }
  return request.method === 'POST'
    ? cancelled(job, request, operator, dependencies)
    : confirmation(job, request, operator, dependencies)
}

async function listPage(
  request: HttpRequest,
  operator: Operator,
  { engine }: OperatorPageDependencies,
): Promise<HttpResponse> {
  const { jobs, overview } = engine()
  const status = statusIn(request.query)
  const after = placeIn(request.query)
  const [list, workers, cancelledJob] = await Promise.all([
    overview.list({ limit: LISTED, ...(status && { status }), ...(after && { after }) }),
    overview.workers(),
    goneJob(request.query, (id) => jobs.job(id)),
  ])
  const last = list.exports.at(-1)
  const next = list.hasMore && last !== undefined ? queryAfter(last, status) : undefined
  const isFirst = after === undefined
  const home = homeOf(request)
  const main = listOf({ home, found: list, workers, status, next, isFirst, cancelled: cancelledJob })
  return livePage(request, operator, 'Bulk exports', main)
}

function livePage(
  request: HttpRequest,
  { id }: Operator,
  title: string,
  main: ReturnType<typeof html>,
): HttpResponse {
  const other = new URLSearchParams(request.query)
  const reloads = other.get('reload') === RELOAD
  if (reloads) other.delete('reload')
  else other.set('reload', RELOAD)
  const live = { other: `${other}`, ...(reloads && { reload: Number(RELOAD) }) }
  return documentResponse(200, { title, home: homeOf(request), main, live, operator: id })
}

async function confirmation(
  job: string,
  request: HttpRequest,
  { id }: Operator,
  dependencies: OperatorPageDependencies,
): Promise<HttpResponse> {
  const details = await found(job, dependencies)
  if (!isCancellable(details.status)) throw notFound()
  const home = homeOf(request)
  const main = confirmationOf(details, home)
  return documentResponse(200, { title: `Cancel export ${shortId(job)}?`, home, main, operator: id })
}

/** The answer to a form is a redirection, so that nothing is sent again when the page is loaded again. */
async function cancelled(
  job: string,
  request: HttpRequest,
  { id }: Operator,
  { engine, logger }: OperatorPageDependencies,
): Promise<HttpResponse> {
  requireSameOrigin(request)
  if (!(await engine().cancel(job))) throw notFound()
  logger.info('operator.cancelled', { job, operator: id })
  return { status: 303, headers: { ...pageHeaders(), Location: `${homeOf(request)}?cancelled=${job}` } }
}

async function found(job: string, { engine }: OperatorPageDependencies): Promise<ExportDetails> {
  const details = await engine().overview.details(job)
  if (details === undefined) throw notFound()
  return details
}

/** Only what is gone is told as cancelled, whoever has made the link. */
async function goneJob(
  query: URLSearchParams,
  jobOf: (id: string) => Promise<{ readonly status: JobStatus } | undefined>,
): Promise<string | undefined> {
  const id = query.get('cancelled')
  if (id === null || !JOB_ID.test(id)) return undefined
  const job = await jobOf(id)
  return job === undefined || job.status === 'cancelled' ? id : undefined
}

/** Absolute path, so that links work under any prefix and with or without a slash at the end. */
function homeOf({ base }: Pick<HttpRequest, 'base'>): string {
  return new URL(base).pathname.replace(/\/+$/, '') || '/'
}

function statusIn(query: URLSearchParams): JobStatus | undefined {
  const state = query.get('state')
  if (state === null || state === '') return undefined
  const status = [...STATES.keys()].find((each) => each === state)
  if (status !== undefined) return status
  throw new ExportError(400, `There is no such state; use one of ${[...STATES.keys()].join(', ')}.`, {
    code: 'value',
  })
}

/** Where a page of the list begins, in the form that `queryAfter` gives it. */
function placeIn(query: URLSearchParams): ListQuery['after'] {
  const after = query.get('after')
  if (after === null) return undefined
  const [, time = '', _id = ''] = /^(\d{1,15})-([0-9a-f]{32})$/.exec(after) ?? []
  if (_id !== '') return { _id, transactionTime: new Date(Number(time)) }
  throw new ExportError(400, 'There is no such page; go back to the newest exports.', { code: 'value' })
}

function queryAfter({ _id, transactionTime }: ExportView, status: JobStatus | undefined): string {
  return `${new URLSearchParams({ ...(status && { state: status }), after: `${transactionTime.getTime()}-${_id}` })}`
}

function requireMethod({ method, path }: HttpRequest): void {
  const allowed = allowedAt(path)
  if (allowed.split(', ').includes(method)) return
  throw new ExportError(405, `Method ${method} is not allowed here; use ${allowed}.`, {
    code: 'not-supported',
  })
}

function allowedAt(path: string): string {
  return /^\/[0-9a-f]{32}\/cancel\b/.test(path) ? 'GET, HEAD, POST' : 'GET, HEAD'
}

function notFound(): ExportError {
  return new ExportError(404, 'There is no such export; it may have been cancelled or have expired.', {
    code: 'not-found',
  })
}
