import { ExportError, toExportError } from '../errors.js'

/** How often in a row a task may fail by what usually passes, or its worker may die. */
const MOST_TRIES = 10
/** How often by something of which nobody can say whether it passes. */
const FEW_TRIES = 3
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 30_000

/** A full disk, and other wants of the machine that an operator or time can mend. */
const WANTS: ReadonlySet<unknown> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'EROFS',
  'EMFILE',
  'ENFILE',
  'EBUSY',
  'EIO',
])
const STATUS_THAT_MAY_PASS = new Set([408, 425, 429, 502, 503, 504])

/**
 * How often in a row a task may fail with an error of this kind before its job fails: once for what will be the
 * same again, such as a bad request or a denied one; more often for what may pass.
 */
export function triesFor(error: unknown): number {
  const { status } = toExportError(error)
  if (status === 503) return MOST_TRIES
  if (error instanceof ExportError) return 1
  const { code, statusCode, $metadata } = (error ?? {}) as {
    code?: unknown
    statusCode?: unknown
    $metadata?: { httpStatusCode?: unknown }
  }
  if (WANTS.has(code)) return MOST_TRIES
  const answered = numberOf(statusCode ?? $metadata?.httpStatusCode)
  if (STATUS_THAT_MAY_PASS.has(answered)) return MOST_TRIES
  return answered >= 400 && answered < 500 ? 1 : FEW_TRIES
}

/** Not all that can be thrown can be converted. */
function numberOf(value: unknown): number {
  return typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN
}

/** Whether a task that has failed this often in a row, or has ended its worker so often, is given up. */
export function isHopeless(failures: number): boolean {
  return failures >= MOST_TRIES
}

/** How long nobody should try again, in ms: longer with each failure in a row. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1))
}
