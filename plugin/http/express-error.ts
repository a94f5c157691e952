import { ExportError } from '../errors.js'

/** What Express and its body parser throw before a handler is reached. */
export function fromExpress(error: unknown): ExportError | undefined {
  if (error instanceof URIError)
    return new ExportError(400, 'The URL is not encoded correctly.', { code: 'structure' })
  const { type, code } = error as { type?: unknown; code?: unknown }
  if (type === 'entity.too.large') {
    return new ExportError(413, 'The body is larger than this server accepts for a kick-off.', {
      code: 'too-long',
    })
  }
  if (type === 'encoding.unsupported') {
    return new ExportError(415, 'The content coding of the body is not known; use gzip, deflate or none.', {
      code: 'not-supported',
    })
  }
  const isBroken =
    type === 'request.aborted' || type === 'request.size.invalid' || String(code).startsWith('Z_')
  if (!isBroken) return undefined
  return new ExportError(400, 'The body is not what its headers say.', { code: 'structure', cause: error })
}
