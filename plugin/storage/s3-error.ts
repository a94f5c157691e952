import type { S3Place } from './s3-options.js'

/**
 * What is kept of an error. Others tell too much: Amazon's SDK copies to it all that S3 says, such as whose request it
 * was and how it was signed, and hides the request itself in it.
 */
const KEPT = ['code', '$metadata', '$fault', '$retryable', 'errno', 'syscall', 'address', 'port', 'hostname']

/**
 * What a request gives. Its error keeps `name`, `code` and `$metadata`, but its message also says what was tried with
 * which object, and it tells nothing about the key that signed the request.
 */
export async function asked<T>(place: S3Place, what: string, name: string, request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const told = new Error(`${what} of s3://${place.bucket}/${name} failed: ${causeOf(error)}`)
    // What waited in vain has no code in this SDK. With one it is known as what may pass.
    if (error.name === 'TimeoutError') Object.assign(told, { code: 'ETIMEDOUT' })
    for (const field of KEPT) if (field in error) Object.assign(told, { [field]: Reflect.get(error, field) })
    throw Object.defineProperty(told, 'name', { value: error.name })
  }
}

/** The HTTP status of the answer that an error stands for. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: unknown } } | undefined)?.$metadata
    ?.httpStatusCode
  return typeof status === 'number' ? status : undefined
}

export function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

export function missing(name: string): Error {
  return Object.assign(new Error(`There is no file ${name}.`), { code: 'ENOENT' })
}

export function taken(name: string): Error {
  return Object.assign(new Error(`There is already a file ${name}.`), { code: 'EEXIST' })
}

/** Name and message, or what is known when S3 sent neither, as for requests without a body. */
function causeOf(error: Error): string {
  const { name, message } = error
  const isNamed = /^[A-Z]\w+$/.test(name) && name !== 'Error'
  const status = statusOf(error)
  const said =
    message === '' || message === 'UnknownError'
      ? `status ${status ?? 'unknown'}`
      : message.replace(/\.$/, '')
  return isNamed && name !== message ? `${name}: ${said}` : said
}
