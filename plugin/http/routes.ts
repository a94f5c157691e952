import { pipeline } from 'node:stream/promises'
import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from 'express'
import type { Logger } from 'winston'
import { describeError, ExportError, toExportError } from '../errors.js'
import { fromExpress } from './express-error.js'
import { errorResponse, type HttpRequest, type HttpResponse, type KickOffTarget } from './message.js'
import { errorPage, type OperatorPage } from './operator-page.js'
import { publicUrl } from './public-url.js'
import { type SmartConfiguration, smartConfigurationResponse } from './smart-configuration.js'

/** What the routes lead to. Path segments arrive decoded and unchecked. */
export interface RouteHandlers {
  kickOff(target: KickOffTarget, request: HttpRequest): Promise<HttpResponse>
  status(job: string, request: HttpRequest): Promise<HttpResponse>
  remove(job: string, request: HttpRequest): Promise<HttpResponse>
  download(job: string, file: string, request: HttpRequest): Promise<HttpResponse>
}

export interface RouteOptions {
  /** The FHIR versions of the host; requests under another first path segment are passed on. */
  readonly versions: readonly string[]
  /** Public root URL, without the version; absent: that of each request, see `publicUrl`. */
  readonly baseUrl?: string
  /** Largest body of a kick-off, in bytes. */
  readonly bodyLimit: number
  /** Absent: requests for it are passed on, and the host may answer them. */
  readonly smartConfiguration?: SmartConfiguration
  /** Absent: there is no page for the operator. */
  readonly operatorPage?: { readonly path: string; readonly answer: OperatorPage }
  readonly handlers: RouteHandlers
  readonly logger: Logger
}

const BODY_TYPES = ['application/fhir+json', 'application/json', 'application/json+fhir']
/** `$` may be sent as it is or encoded. */
const EXPORT = '(?:\\$|%24)export'
const SMART_CONFIGURATION = '/\\.well-known/smart-configuration'

/**
 * The router that a host mounts before `initialize(config, app)`: the core itself can neither register
 * operations at system level nor answer with 202, and parses few bodies.
 */
export function createRouter(options: RouteOptions): Router {
  const { versions, baseUrl, bodyLimit, smartConfiguration, operatorPage, handlers, logger } = options
  const router = express.Router()
  const at = (path: string) => new RegExp(`^/(${versions.join('|')})${path}/?$`)
  const readBody = express.raw({ type: () => true, limit: bodyLimit })

  const answer =
    (handle: (segments: readonly string[], request: HttpRequest) => Promise<HttpResponse>): RequestHandler =>
    (request, response, next) => {
      const [version = '', ...segments] = Object.values(request.params)
      Promise.resolve()
        .then(() => handle(segments, toHttpRequest(request, version, baseUrl)))
        .then((answered) => send(response, answered))
        // Express takes `undefined` for no error and the word `router` for an order.
        .catch((error: unknown) => next(error instanceof Error ? error : toExportError(error)))
    }
  const kickOffRoute = (path: string, level: KickOffTarget['level']) => {
    const handle = answer(([groupId], request) =>
      handlers.kickOff({ level, ...(groupId === undefined ? {} : { groupId }) }, request),
    )
    // Express would answer HEAD as GET, and so start an export for a mere look.
    router.head(at(path), methodNotAllowed('GET, POST'))
    router.get(at(path), handle)
    router.post(at(path), refuseOtherTypes, readBody, handle)
    router.all(at(path), methodNotAllowed('GET, POST'))
  }
  kickOffRoute(`/${EXPORT}`, 'system')
  kickOffRoute(`/Patient/${EXPORT}`, 'patient')
  kickOffRoute(`/Group/([^/]+)/${EXPORT}`, 'group')

  const statusPath = at(`/${EXPORT}/([^/]+)`)
  router.get(
    statusPath,
    answer(([job = ''], request) => handlers.status(job, request)),
  )
  router.delete(
    statusPath,
    answer(([job = ''], request) => handlers.remove(job, request)),
  )
  router.all(statusPath, methodNotAllowed('GET, DELETE'))
  const filePath = at(`/${EXPORT}/([^/]+)/([^/]+)`)
  router.get(
    filePath,
    answer(([job = '', file = ''], request) => handlers.download(job, file, request)),
  )
  router.all(filePath, methodNotAllowed('GET, HEAD'))

  if (smartConfiguration !== undefined) {
    const document = smartConfigurationResponse(smartConfiguration)
    // SMART has it below the base URL; some clients look at the root.
    router.get(
      [at(SMART_CONFIGURATION), new RegExp(`^${SMART_CONFIGURATION}/?$`)],
      (_request, response, next) => {
        send(response, document).catch(next)
      },
    )
  }

  if (operatorPage !== undefined) {
    // Express takes the path off the URL and puts it into the base.
    router.use(operatorPage.path, (request, response, next) => {
      Promise.resolve()
        .then(() => operatorPage.answer(toHttpRequest(request, '', baseUrl)))
        // Links have the path only.
        .catch((error: unknown) => {
          const { method, url: path, baseUrl: home } = request
          return errorPage({ method, path, base: `http://localhost${home}` }, error, logger)
        })
        .then((answered) => send(response, answered))
        .catch(next)
    })
  }

  router.use(answerErrors(versions, logger))
  return router
}

function toHttpRequest(request: Request, version: string, baseUrl: string | undefined): HttpRequest {
  const root = `${baseUrl ?? ownUrl(request)}${request.baseUrl}`
  const headers = Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(', ')])
  const [, query = ''] = request.url.split(/\?(.*)/s)
  const body = Buffer.isBuffer(request.body) ? parseBody(request, request.body) : undefined
  return {
    method: request.method,
    query: new URLSearchParams(query),
    base: `${root}/${version}`,
    path: request.url,
    headers: Object.fromEntries(headers),
    ...(body === undefined ? {} : { body }),
    ...('user' in request ? { user: request.user } : {}),
    source: request,
  }
}

/** As the client wrote it, or as a proxy says that Express was told to trust. */
function ownUrl(request: Request): string {
  const trusts = request.app.get('trust proxy fn') as (address: string | undefined, hop: number) => boolean
  const isFromTrustedProxy = trusts(request.socket.remoteAddress, 0)
  return publicUrl({ protocol: request.protocol, headers: request.headers, isFromTrustedProxy })
}

/** `undefined` when nothing was sent. */
function parseBody(request: Request, bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  if (!request.is(BODY_TYPES)) throw wrongType()
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ExportError(400, 'The body is not valid JSON in UTF-8.', { code: 'structure', cause })
  }
}

/** Before the body is read; what has no type is read first, for it may be empty. */
const refuseOtherTypes: RequestHandler = (request, _response, next) => {
  const type = request.headers['content-type']
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type ?? '')?.[1] ?? 'utf-8'
  const isEmpty = Number(request.headers['content-length'] ?? 0) === 0
  if (type === undefined || isEmpty) return next()
  if (!request.is(BODY_TYPES)) return next(wrongType())
  if (/^utf-?8$/i.test(charset)) return next()
  next(new ExportError(415, 'The charset of a body must be UTF-8.', { code: 'not-supported' }))
}

function wrongType(): ExportError {
  return new ExportError(415, `A body must be sent as one of ${BODY_TYPES.join(', ')}.`, {
    code: 'not-supported',
  })
}

function methodNotAllowed(allowed: string): RequestHandler {
  return (request, response, next) => {
    if (request.method === 'OPTIONS') {
      response.set('Allow', allowed).status(204).end()
      return
    }
    response.set('Allow', allowed)
    next(
      new ExportError(405, `Method ${request.method} is not allowed here; use ${allowed}.`, {
        code: 'not-supported',
      }),
    )
  }
}

async function send(response: Response, answer: HttpResponse): Promise<void> {
  try {
    await sendAll(response, answer)
  } catch (error) {
    if (typeof answer.body === 'object') answer.body.destroy()
    throw error
  }
}

async function sendAll(response: Response, { status, headers, body }: HttpResponse): Promise<void> {
  response.status(status)
  for (const [name, value] of Object.entries(headers)) {
    // Middleware before the router may have named headers that its own answers vary by.
    if (name === 'Vary') response.vary(value)
    // `res.set` would add a charset to types that have none.
    else response.setHeader(name, value)
  }
  if (body === undefined || typeof body === 'string') {
    response.end(body)
    return
  }
  try {
    await pipeline(body, response)
  } catch (error) {
    // The client went away: nobody is left to be told.
    if (!response.destroyed || !isEarlyClose(error)) throw error
  }
}

function isEarlyClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

function answerErrors(versions: readonly string[], logger: Logger): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: unknown, request, response, _next) => {
    const answered = fromExpress(error) ?? toExportError(error)
    if (answered.status >= 500) {
      logger.error('request.failed', {
        method: request.method,
        path: request.path,
        status: answered.status,
        error: describeError(error),
      })
    }
    if (response.headersSent) {
      response.destroy()
      return
    }
    const version = versions.find((each) => request.path.startsWith(`/${each}/`)) ?? '4_0_0'
    send(response, errorResponse(answered, version)).catch((cause: unknown) => {
      logger.error('response.failed', { error: describeError(cause) })
      response.destroy()
    })
  }
}
