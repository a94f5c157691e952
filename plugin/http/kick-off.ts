import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Logger } from 'winston'
import { ExportError } from '../errors.js'
import { rootOf, versionOf } from '../fhir/base-url.js'
import { type ExportLevel, parseExportRequest } from '../fhir/export-request.js'
import { Findings } from '../fhir/findings.js'
import { bodyParameters, queryParameters } from '../fhir/parameter.js'
import { parsePrefer } from '../fhir/preference.js'
import { RESOURCE_ID } from '../fhir/resource.js'
import { isGranted } from '../fhir/smart-scopes.js'
import type { Engine } from '../jobs/engine.js'
import { readGroup } from '../jobs/group-cohort.js'
import { knownPatients } from '../jobs/known-patients.js'
import { provenanceChoice } from '../jobs/provenance-choice.js'
import type { GroupMembers } from '../search/host-hooks.js'
import type { HostSearch } from '../search/host-search.js'
import type { Caller } from '../search/search-adapter.js'
import { untilAborted } from '../until-aborted.js'
import type { Access } from './access.js'
import { requireTypes } from './export-status.js'
import { grantedTypes } from './granted-types.js'
import type { HttpRequest, HttpResponse, KickOffTarget } from './message.js'
import { statusUrl } from './urls.js'

export interface KickOffDependencies {
  readonly engine: Engine
  readonly search: HostSearch
  readonly logger: Logger
  /** The levels that are offered; another one is answered 404. */
  readonly levels: readonly ExportLevel[]
  /** Whether `Accept: application/fhir+json` and `Prefer: respond-async` are demanded or assumed. */
  readonly strictHeaders: boolean
  /** Whether the export of a Group takes a token that covers `Group`, whatever types it asks for. */
  readonly requireGroupRead: boolean
  readonly groupMembers: GroupMembers | undefined
  /** Whether the host can say what was deleted. */
  readonly listsDeleted: boolean
  /** Whether the storage has containers to pick from. */
  readonly hasContainers: boolean
}

/**
 * Answers a kick-off request (Bulk Data 3.0.0, "Bulk Data Kick-off Request"): checks everything that can be
 * checked at once, stores the job and answers 202 with the status URL. How much there is to export makes no
 * difference to the time this takes.
 *
 * @throws ExportError 400 for headers and parameters, 403 for types that the caller may not export, 404 for a
 * level that is off or a Group that is not there, 422 for a Group that is no list of members or patients that are
 * not there, 429 when too many exports run, 503 when the database cannot be reached
 */
export async function kickOff(
  { level, groupId }: KickOffTarget,
  request: HttpRequest,
  access: Access,
  dependencies: KickOffDependencies,
): Promise<HttpResponse> {
  const { engine, search, logger, levels, strictHeaders, groupMembers } = dependencies
  if (!levels.includes(level)) {
    throw new ExportError(404, `Export at ${level} level is switched off on this server.`, {
      code: 'not-found',
    })
  }
  const { lenient, respondAsync, separateStatus } = parsePrefer(request.headers['prefer'])
  checkHeaders(request.headers, respondAsync, strictHeaders)
  const parameters = [
    ...queryParameters(request.query),
    ...(request.body === undefined ? [] : bodyParameters(request.body)),
  ]
  const transactionTime = await engine.transactionTime()
  const version = versionOf(request.base)
  const hostTypes = search.types(version)
  const {
    ignored,
    types: asked,
    associated,
    ...narrowed
  } = parseExportRequest(parameters, {
    ...{ level, hostTypes, base: request.base, isPost: request.method === 'POST' },
    ...{ lenient, now: transactionTime, hasContainers: dependencies.hasContainers },
    checkSearch: (type, params) => search.problemOf(request.base, type, params),
    elementsOf: (type) => search.elementsOf(type, version),
  })
  const findings = new Findings(lenient)
  const named = parameters.some(({ name }) => name === '_type') ? asked : []
  const types = grantedTypes(asked, associated ? [...named, 'Provenance'] : named, access, findings)
  if (groupId !== undefined && dependencies.requireGroupRead) requireTypes(['Group'], access)
  const caller = callerOf(request, access)
  if (groupId !== undefined && (!RESOURCE_ID.test(groupId) || !hostTypes.includes('Group'))) {
    throw new ExportError(404, 'There is no such Group on this server.', { code: 'not-found' })
  }
  const reading = {
    ...{ search: search.adapter(request.base, caller), base: request.base },
    ...{ groupMembers, user: caller.user, signal: AbortSignal.timeout(LONGEST_LOOK) },
  }
  // Each of the searches at the same time listens to it.
  setMaxListeners(0, reading.signal)
  // A hook of the host may not know of signals.
  const limit = { signal: reading.signal }
  if (groupId !== undefined) await untilAborted(() => readGroup(groupId, reading), limit)
  const { patients: members } = narrowed
  const patients =
    members &&
    (await untilAborted(() => knownPatients(members, { groupId, now: transactionTime, reading }), limit))
  if (patients?.problem !== undefined) {
    if (!lenient) throw unknownPatients(patients.problem)
    findings.unsupported(patients.problem, 'patient')
  }
  const notes = [...ignored, ...findings.ignored]
  const provenance = provenanceChoice(
    level,
    types,
    associated,
    hostTypes.filter((type) => isGranted(type, access.types)),
    version,
  )
  const id = randomBytes(16).toString('hex')
  await engine.accept({
    ...{ _id: id, level, types, ...narrowed },
    ...(groupId === undefined ? {} : { groupId }),
    ...(access.clientId === undefined ? {} : { owner: access.clientId }),
    ...(patients === undefined ? {} : { patients: patients.known }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(provenance === undefined ? {} : { provenance }),
    ...(dependencies.listsDeleted && narrowed.since !== undefined ? { listsDeleted: true } : {}),
    ...(separateStatus ? { separateStatus } : {}),
    transactionTime,
    requestUrl: requestUrl(request),
    base: request.base,
    caller: JSON.stringify(caller),
  })
  // How many, not which: what a client asked for may say whom it is about.
  logger.info('job.accepted', { job: id, level, types: types.length, ignored: notes.length })
  const applied = separateStatus ? { 'Preference-Applied': 'respond-async, separate-export-status' } : {}
  return { status: 202, headers: { 'Content-Location': statusUrl(request.base, id), ...applied } }
}

/** How long a kick-off looks for its group and its patients, in ms. */
const LONGEST_LOOK = 30_000

/** Headers that belong to the connection or to the body, and not to what is asked. */
const NOT_KEPT = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'expect'],
  ...['content-length', 'content-type', 'content-encoding', 'accept', 'accept-encoding', 'host', 'prefer'],
])

/** Names of headers and parameters that may carry a credential: those are neither stored nor handed on. */
const CREDENTIAL = /auth|token|cookie|secret|session|api-?key|assertion|credential|password|dpop/i

function unknownPatients(problem: string): ExportError {
  return new ExportError(422, problem, { code: 'not-found', expression: 'patient' })
}

function callerOf({ headers, user }: HttpRequest, access: Access): Caller {
  const credential = headers['authorization']?.split(' ').at(-1)
  const kept = Object.entries(headers).filter(([name, value]) => {
    if (NOT_KEPT.has(name) || CREDENTIAL.test(name)) return false
    return credential === undefined || credential === '' || !value.includes(credential)
  })
  const identity = access.user ?? user
  return { headers: Object.fromEntries(kept), ...(identity === undefined ? {} : { user: identity }) }
}

function checkHeaders(headers: HttpRequest['headers'], respondAsync: boolean, strict: boolean): void {
  const accepted = (headers['accept'] ?? (strict ? '' : '*/*'))
    .split(',')
    .map((range) => range.split(';')[0]?.trim().toLowerCase() ?? '')
  const allowed = strict
    ? ['application/fhir+json']
    : ['application/fhir+json', 'application/json', 'application/*', '*/*']
  if (!accepted.some((range) => allowed.includes(range))) {
    throw new ExportError(400, 'Header Accept must allow application/fhir+json.', {
      code: 'value',
      expression: 'Accept',
    })
  }
  if (strict && !respondAsync) {
    throw new ExportError(400, 'Header Prefer must contain respond-async.', {
      code: 'required',
      expression: 'Prefer',
    })
  }
}

/** For `request` in the manifest: the URL of the kick-off, less parameters that carry a credential. */
function requestUrl({ base, path, query }: HttpRequest): string {
  const url = `${rootOf(base)}${path}`
  if (![...query.keys()].some((name) => CREDENTIAL.test(name))) return url
  const kept = new URLSearchParams([...query].filter(([name]) => !CREDENTIAL.test(name)))
  return `${url.slice(0, url.indexOf('?'))}?${kept}`
}
