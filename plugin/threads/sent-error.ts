/** An error as it is sent between threads: of what is thrown, names and codes are what it is known by. */
export interface SentError {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | number
  readonly cause?: SentError
}

/** How many causes are sent along. */
const DEEPEST = 5

export function sentError(thrown: unknown, depth = 0): SentError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown) }
  const { name, message, stack, cause } = thrown
  const { code } = thrown as { readonly code?: unknown }
  return {
    ...{ name, message, stack },
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause === undefined || depth === DEEPEST ? {} : { cause: sentError(cause, depth + 1) }),
  }
}

export function receivedError({ message, cause, ...known }: SentError): Error {
  const error = new Error(message, cause === undefined ? {} : { cause: receivedError(cause) })
  return Object.assign(error, known)
}
