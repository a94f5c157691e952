import { isDatabaseUnreachable, isNetworkError, toExportError } from '../errors.js'
import type { HostSearch } from '../search/host-search.js'

/** Why something failed, in the few words by which failures are counted. */
export const FAILURE_REASONS = [
  'timeout',
  'stalled',
  'storage',
  'service',
  'database',
  'denied',
  'other',
] as const

export type FailureReason = (typeof FAILURE_REASONS)[number]

/** Whose an error is, where the error itself does not say so. */
const origins = new WeakMap<object, 'storage' | 'service'>()

/**
 * Does work of a storage or a service, and remembers whose its error is. The first one counts: what a service throws
 * while a storage draws the lines of a file is the service's.
 */
export async function blaming<T>(origin: 'storage' | 'service', work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    blame(origin, error)
    throw error
  }
}

function blame(origin: 'storage' | 'service', error: unknown): void {
  if (isObject(error) && originOf(error) === undefined) origins.set(error, origin)
}

async function* blamingStream<T>(stream: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* stream
  } catch (error) {
    blame('service', error)
    throw error
  }
}

/** The same search; what its services throw is remembered as theirs. */
export function blamingSearch(search: HostSearch): HostSearch {
  return {
    ...search,
    adapter(base, caller) {
      const adapter = search.adapter(base, caller)
      return {
        ...adapter,
        search: (request) => blaming('service', () => adapter.search(request)),
        stream(request) {
          const stream = adapter.stream?.(request)
          return stream && blamingStream(stream)
        },
      }
    },
  }
}

/** The reason by which a failure is counted. What stood still says so itself, and is not known by its error. */
export function reasonOf(error: unknown): FailureReason {
  const origin = originOf(error)
  const { status, issues } = toExportError(error)
  if (issues.some(({ code }) => code === 'timeout')) return 'timeout'
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'timeout'
  // The services of a host mostly read the same database: that it is gone is the same cause.
  if (isDatabaseUnreachable(error) || (origin === undefined && isNetworkError(error))) return 'database'
  if (origin !== 'storage' && isDenied(error, status)) return 'denied'
  return origin ?? 'other'
}

function isDenied(error: unknown, status: number): boolean {
  const { statusCode } = (error ?? {}) as { readonly statusCode?: unknown }
  return [status, statusCode].some((code) => code === 401 || code === 403)
}

function originOf(error: unknown): 'storage' | 'service' | undefined {
  for (let current = error, depth = 0; isObject(current) && depth < 5; depth += 1) {
    const origin = origins.get(current)
    if (origin !== undefined) return origin
    current = current.cause
  }
  return undefined
}

/** The host core throws OperationOutcomes that are no errors. */
function isObject(value: unknown): value is { readonly cause?: unknown } {
  return typeof value === 'object' && value !== null
}
