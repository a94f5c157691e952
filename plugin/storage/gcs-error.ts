/** What went wrong with Google Cloud Storage. The message never has a credential or the URI of an upload session. */
export class GcsError extends Error {
  override readonly name = 'GcsError'
  /** `ENOENT`: no such key. `EEXIST`: the key is taken. Else the code of a network error, or the HTTP status. */
  readonly code: string | number | undefined
  /** The HTTP status; absent when there was no answer. */
  readonly statusCode: number | undefined

  constructor(
    message: string,
    given: { readonly code?: string | number | undefined; readonly statusCode?: number } = {},
  ) {
    super(message)
    this.code = given.code ?? given.statusCode
    this.statusCode = given.statusCode
  }
}

/** The error that an answer stands for. */
export function refusal(place: string, status: number, text: string): GcsError {
  const reason = reasonOf(text)
  const said = `Google Cloud Storage answered ${status} for ${place}${reason && `: ${reason}`}`
  return new GcsError(said, { statusCode: status })
}

/** The error for a request without an answer, without what the original one knows about the request. */
export function unanswered(place: string, error: unknown): GcsError {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const known = typeof code === 'string' ? code : undefined
  // An error that stands for several attempts to connect has no message.
  const reason = typeof message === 'string' && message !== '' ? message : (known ?? 'no answer')
  return new GcsError(`Google Cloud Storage did not answer for ${place}: ${reason}`, { code: known })
}

/** The error for an identity that cannot be had. */
export function unidentified(error: unknown): GcsError {
  const { message, code, status, response } = error as {
    message?: unknown
    code?: unknown
    status?: unknown
    response?: { status?: unknown }
  }
  // The message of a syntax error shows a part of the key file.
  const reason = error instanceof SyntaxError ? 'the key file is not valid JSON' : String(message)
  const statusCode = [status, response?.status].find((value) => typeof value === 'number')
  return new GcsError(`There are no credentials for Google Cloud Storage: ${reason}`, {
    code: isOfNetwork(code) ? String(code) : 'NO_CREDENTIALS',
    ...(typeof statusCode === 'number' && { statusCode }),
  })
}

/** Whether trying again may help. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof GcsError)) return false
  const { statusCode } = error
  if (statusCode === undefined) return error.code !== 'NO_CREDENTIALS'
  return statusCode === 408 || statusCode === 429 || statusCode >= 500
}

/** A key file that is not there must not look like a storage key that is not there. */
function isOfNetwork(code: unknown): boolean {
  return (
    typeof code === 'string' &&
    /^E(?!RR_)[A-Z_]+$/.test(code) &&
    !['ENOENT', 'EACCES', 'EISDIR'].includes(code)
  )
}

function reasonOf(text: string): string {
  return (messageIn(text) ?? text.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim().slice(0, 300)
}

function messageIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    return typeof error?.message === 'string' ? error.message : undefined
  } catch {
    // Some answers are XML, HTML or plain text.
    return undefined
  }
}
