import { STATUS_CODES } from 'node:http'
import { ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import type { ResourceType } from '../fhir/resource.js'
import { isGranted } from '../fhir/smart-scopes.js'
import type { Engine } from '../jobs/engine.js'
import { manifestOf, progressOf } from '../jobs/manifest.js'
import type { ExportJob } from '../jobs/model.js'
import { taskSubjects } from '../jobs/task-plan.js'
import type { Access } from './access.js'
import { errorResponse, type HttpRequest, type HttpResponse, jsonResponse } from './message.js'
import type { PollLimit } from './poll-limit.js'
import type { SignUrls } from './signed-urls.js'
import { fileUrl } from './urls.js'

export interface StatusDependencies {
  readonly engine: Engine
  readonly polls: PollLimit
  /** Absent: files are read through the server. */
  readonly signUrls?: SignUrls | undefined
}

/**
 * Answers a status request (Bulk Data 3.0.0, "Bulk Data Status Request"): 202 with progress, 200 with the
 * manifest, or the error that ended the job. Where the kick-off asked for `separate-export-status`, all three are
 * 200, and `X-Export-Status` says what they would have been.
 *
 * @throws ExportError 404 for a job that is not there, was deleted or has expired, 429 for a poll that comes too
 * early
 */
export async function exportStatus(
  id: string,
  request: HttpRequest,
  access: Access,
  { engine, polls, signUrls }: StatusDependencies,
): Promise<HttpResponse> {
  const job = await findJob(id, access, engine)
  requireTypes(job.types, access)
  requirePatience(job, polls)
  if (job.status === 'failed') {
    const { status, issues } = job.failure ?? { status: 500, issues: [] }
    return answerFor(job, errorResponse(new ExportError(status, issues), versionOf(job.base)))
  }
  const tasks = await engine.jobs.tasks(id)
  // Deleted in the moment between: its files are gone, and an empty manifest would be a lie.
  if (job.status === 'completed' && tasks.length !== taskSubjects(job).length) throw notFound()
  if (job.status === 'completed') {
    const expires = new Date((job.endedAt ?? job.transactionTime).getTime() + engine.retention)
    const signed = signUrls && (await signUrls(job, tasks, expires))
    const manifest = manifestOf(
      job,
      tasks,
      signed === undefined && access.clientId !== undefined,
      ({ name }) => signed?.get(name) ?? fileUrl(request.base, id, name),
    )
    const headers = { Expires: expires.toUTCString() }
    return answerFor(job, jsonResponse(200, manifest, { contentType: 'application/json', headers }))
  }
  return answerFor(job, {
    status: 202,
    headers: {
      'X-Progress': progressOf(tasks),
      'Retry-After': String(secondsToWait(job)),
      'Cache-Control': 'no-store',
    },
  })
}

/** What a job comes to, in the form that its client has asked for. */
function answerFor({ separateStatus }: ExportJob, answer: HttpResponse): HttpResponse {
  if (separateStatus !== true) return answer
  const status = `${answer.status} ${STATUS_CODES[answer.status] ?? 'Failed'}`
  return { ...answer, status: 200, headers: { ...answer.headers, 'X-Export-Status': status } }
}

/** Answers DELETE on the status URL: 202; work stops, files and documents go. */
export async function deleteExport(id: string, access: Access, engine: Engine): Promise<HttpResponse> {
  const job = await findJob(id, access, engine)
  requireTypes(job.types, access)
  if (!(await engine.cancel(id))) throw notFound()
  return { status: 202, headers: {} }
}

/** A token has to cover all that it asks about (Bulk Data 2.0.0, "Security Considerations"). */
export function requireTypes(types: readonly ResourceType[], access: Access): void {
  const missing = types.filter((type) => !isGranted(type, access.types))
  if (missing.length === 0) return
  const named = missing.slice(0, 10).join(', ')
  throw new ExportError(403, `Your access token does not cover ${named}.`, { code: 'forbidden' })
}

function requirePatience({ _id, status }: ExportJob, polls: PollLimit): void {
  const retryAfter = polls.poll(_id, status === 'completed' || status === 'failed', performance.now())
  if (retryAfter === undefined) return
  throw new ExportError(429, 'You ask for this status too often; wait as long as Retry-After says.', {
    code: 'throttled',
    retryAfter,
  })
}

const GONE: readonly ExportJob['status'][] = ['cancelled', 'expired']

/** Another client's job is as unknown as one that does not exist. */
export async function findJob(id: string, { clientId }: Access, engine: Engine): Promise<ExportJob> {
  const job = /^[0-9a-f]{32}$/.test(id) ? await engine.jobs.job(id) : undefined
  if (job === undefined || GONE.includes(job.status) || job.owner !== clientId) throw notFound()
  return job
}

function notFound(): ExportError {
  return new ExportError(404, 'There is no such export; it may have been deleted or have expired.', {
    code: 'not-found',
  })
}

const LONGEST_WAIT = 30

/** Short while a job is young, so that a small one is not waited for; a tenth of its age later on. */
function secondsToWait({ transactionTime }: ExportJob): number {
  const age = (Date.now() - transactionTime.getTime()) / 1000
  return Math.min(LONGEST_WAIT, Math.max(1, Math.round(age / 10)))
}
