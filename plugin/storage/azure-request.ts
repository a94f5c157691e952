/** What ends a request to Azure before its answer does. */
export interface RequestLimits {
  /** In ms, for the request with all its tries. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
}

/** A refusal or a silence of Azure, as it is passed on. */
export interface AzureError extends Error {
  /** The service's, such as `ContainerNotFound`, or that of the network, such as `ECONNREFUSED`. */
  readonly code?: string
  /** Of the HTTP answer, if there was one. */
  readonly statusCode?: number
}

/**
 * Makes one request by the SDK. Rejects as soon as the signal is aborted or the time is over, whatever the SDK does;
 * the SDK itself knows no time limit of its own for a server that accepts a connection and is silent.
 *
 * @param doing what the request is for, as the beginning of a message
 * @throws the signal's reason, or an `AzureError`
 */
export async function request<T>(
  doing: string,
  { timeout, signal }: RequestLimits,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const ending = new AbortController()
  let end: (reason: unknown) => void = () => undefined
  const ended = new Promise<never>((_, reject) => {
    end = reject
  })
  const onAbort = () => end(signal?.reason)
  const timer = setTimeout(() => end(silence(doing, timeout)), timeout)
  signal?.addEventListener('abort', onAbort, { once: true })
  const answer = work(ending.signal).catch((error: unknown) => {
    throw failure(doing, error)
  })
  try {
    return await Promise.race([answer, ended])
  } catch (error) {
    ending.abort()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** What an error of the SDK says, without the request that it carries, which has the credentials. */
export function failure(doing: string, error: unknown): AzureError {
  const { code, statusCode, message } = detailsOf(error)
  const facts = [code, statusCode === undefined ? undefined : `HTTP ${statusCode}`].filter(Boolean).join(', ')
  return Object.assign(new Error(`${doing}: ${message}${facts === '' ? '' : ` (${facts})`}`), {
    ...(code === undefined ? {} : { code }),
    ...(statusCode === undefined ? {} : { statusCode }),
  })
}

/** That the server said nothing for so many ms. */
export function silence(doing: string, timeout: number): AzureError {
  return Object.assign(new Error(`${doing}: no answer within ${timeout} ms (ETIMEDOUT)`), {
    code: 'ETIMEDOUT',
  })
}

/** Whether an error is one of these answers of the service: a status, or a code. */
export function isAnswer(error: unknown, ...answers: readonly (number | string)[]): boolean {
  if (!(error instanceof Error)) return false
  const { code, statusCode } = error as AzureError
  return answers.some((answer) => answer === code || answer === statusCode)
}

function detailsOf(error: unknown): { code?: string; statusCode?: number; message: string } {
  if (!(error instanceof Error)) return { message: 'failed' }
  const { code, statusCode, name, message } = error as AzureError
  // The lines below the first one number the request and date it.
  const firstLine = (message.split('\n', 1)[0] ?? '').replace(/\.$/, '')
  return {
    ...(typeof code === 'string' ? { code } : name === 'Error' ? {} : { code: name }),
    ...(typeof statusCode === 'number' ? { statusCode } : {}),
    message: firstLine.replace(/\b(sig|AccountKey|SharedAccessSignature)=[^&;\s]+/gi, '$1=…') || 'failed',
  }
}
