/** FHIR issue types that this plugin uses (http://hl7.org/fhir/R4/valueset-issue-type.html). */
export type IssueCode =
  | 'invalid'
  | 'structure'
  | 'required'
  | 'value'
  | 'not-supported'
  | 'not-found'
  | 'processing'
  | 'business-rule'
  | 'too-long'
  | 'exception'
  | 'transient'
  | 'no-store'
  | 'login'
  | 'forbidden'
  | 'throttled'
  | 'timeout'

export interface Issue {
  readonly severity: 'fatal' | 'error' | 'warning' | 'information'
  readonly code: IssueCode
  /** For the person who reads it: names the thing that is wrong and what to do about it. */
  readonly diagnostics: string
  /** The parameter or header that is meant, such as `_since`. */
  readonly expression?: string
}

export interface ErrorDetails {
  readonly code: IssueCode
  readonly expression?: string
  /** Seconds after which the same call may succeed; becomes the `Retry-After` header. */
  readonly retryAfter?: number
  /** How to authenticate; becomes the `WWW-Authenticate` header. */
  readonly challenge?: string
  readonly cause?: unknown
}

/**
 * What a client is told: an HTTP status and an issue. Anything else that is thrown reaches a client as a plain
 * 500 without its message, because a message may carry a credential or a resource's content.
 */
export class ExportError extends Error {
  readonly status: number
  readonly issues: readonly Issue[]
  readonly retryAfter: number | undefined
  readonly challenge: string | undefined

  constructor(status: number, diagnostics: string | readonly Issue[], details?: ErrorDetails) {
    const issues = typeof diagnostics === 'string' ? [issueOf(diagnostics, details)] : diagnostics
    super(issues.map((issue) => issue.diagnostics).join(' '), { cause: details?.cause })
    this.name = 'ExportError'
    this.status = status
    this.issues = issues
    this.retryAfter = details?.retryAfter
    this.challenge = details?.challenge
  }
}

/** The element of an issue that names what is meant: DSTU2 has no `expression`. */
export type IssuePointer = 'expression' | 'location'

/** An `OperationOutcome` with at least one issue, in the form of all versions but for the pointer. */
export function operationOutcome(
  issues: readonly Issue[],
  pointer: IssuePointer = 'expression',
): OperationOutcome {
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map(({ severity, code, diagnostics, expression }) => ({
      severity,
      code,
      diagnostics,
      ...(expression === undefined ? {} : { [pointer]: [expression] }),
    })),
  }
}

export interface OperationOutcome {
  readonly resourceType: 'OperationOutcome'
  readonly issue: readonly {
    readonly severity: Issue['severity']
    readonly code: IssueCode
    readonly diagnostics: string
    readonly expression?: readonly string[]
    readonly location?: readonly string[]
  }[]
}

/**
 * The answer for whatever was thrown. An unreachable database is 503 with `Retry-After` and issue `transient`
 * (the job still runs; guide: "Response - Error Status"), anything unexpected is 500.
 */
export function toExportError(error: unknown): ExportError {
  if (error instanceof ExportError) return error
  const passing = passingReason(error)
  if (passing !== undefined) {
    const text = `${passing} Try again later.`
    return new ExportError(503, text, { code: 'transient', retryAfter: 10, cause: error })
  }
  return new ExportError(500, 'The server failed to answer this request. Its log says why.', {
    code: 'exception',
    cause: error,
  })
}

function passingReason(error: unknown): string | undefined {
  if (isDatabaseUnreachable(error)) {
    return 'The database of this server cannot be reached at the moment.'
  }
  if (isNetworkError(error)) return 'What this server depends on cannot be reached at the moment.'
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError'
  return isTimeout ? 'A search of this server took too long.' : undefined
}

/** Names that Node and others give to errors of networks. */
const NETWORK: ReadonlySet<unknown> = new Set([
  ...['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_SOCKET'],
])

export function isNetworkError(error: unknown): boolean {
  return NETWORK.has((error as { code?: unknown } | null | undefined)?.code)
}

const UNREACHABLE =
  /^Mongo(ose)?(ServerSelection|Network|NetworkTimeout|NotConnected|TopologyClosed|PoolClosed|PoolCleared|ClientClosed|OperationTimeout)Error$/
const NOT_PRIMARY_OR_SHUTTING_DOWN = new Set([91, 189, 10107, 11600, 11602, 13435, 13436])

/** By name and code, since the host may use another major version of the driver than this plugin. */
export function isDatabaseUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (UNREACHABLE.test(error.name)) return true
  if ('code' in error && NOT_PRIMARY_OR_SHUTTING_DOWN.has(Number(error.code))) return true
  return error.name === 'MongooseError' && error.message.includes('initial connection')
}

function issueOf(diagnostics: string, details: ErrorDetails | undefined): Issue {
  return {
    severity: 'error',
    code: details?.code ?? 'processing',
    diagnostics,
    ...(details?.expression === undefined ? {} : { expression: details.expression }),
  }
}

/**
 * An error for a log field: names and messages along its causes, without stack traces, and without what stands
 * before the `@` of a URL.
 */
export function describeError(error: unknown): string {
  const chain: string[] = []
  for (let current = error; current !== undefined && chain.length < 5; ) {
    chain.push(describeOne(current))
    current = current instanceof Error ? current.cause : undefined
  }
  return chain.join(' ← ').replaceAll(/(\w+:\/\/)[^\s/@]+@/g, '$1***@')
}

/** The host core throws OperationOutcomes that are no errors, and its ServerError may carry their issues. */
function describeOne(thrown: unknown): string {
  const { issue } = (thrown ?? {}) as { issue?: unknown }
  const texts = [issue].flat().map((each) => {
    const { diagnostics, details } = (each ?? {}) as { diagnostics?: unknown; details?: { text?: unknown } }
    return String(diagnostics ?? details?.text ?? '')
  })
  const name = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : undefined
  if (issue === undefined) return name ?? textOf(thrown)
  return [name ?? 'OperationOutcome:', ...texts].join(' ')
}

/** Not all that can be thrown can be converted. */
function textOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null
    ? Object.prototype.toString.call(thrown)
    : String(thrown)
}
