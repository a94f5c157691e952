/** The ways in which an export by the program can end, and the exit code of each. Codes never change their meaning. */
export const EXIT_CODES = {
  /** All files are there and were checked. */
  complete: 0,
  /** A fault of the program itself. */
  unexpected: 1,
  /** The command line, the key file or the folder cannot be worked with; nothing was asked of the server. */
  usage: 2,
  /** The server did not accept the kick-off. */
  refused: 3,
  /** The server accepted the export, and it failed there or is not there any more. */
  failed: 4,
  /** A file could not be loaded or stored, or is not what the manifest promises. */
  download: 5,
  /** `--timeout` is over. */
  timedOut: 6,
  /** All files are there and were checked, but the server tells of errors in its `error` files. */
  withErrors: 7,
  /** No access token could be had, or the server does not take it. */
  signIn: 8,
  /** The server was not reached, however often that was tried. */
  unreachable: 9,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const

/** A way to end, see `EXIT_CODES`. */
export type Ending = keyof typeof EXIT_CODES

/** Why an export did not come to a good end; the message is for a person and never holds a token or a key. */
export class ExportFailure extends Error {
  override readonly name = 'ExportFailure'

  constructor(
    readonly ending: Ending,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options)
  }
}

/** Whatever was thrown, as a failure: one that is none already becomes `ending` with the same message. */
export function asFailure(ending: Ending, error: unknown): ExportFailure {
  if (error instanceof ExportFailure) return error
  return new ExportFailure(ending, messageOf(error), { cause: error })
}

/** What an error says, with the reason that `fetch` hides in its cause. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  const reason = cause instanceof Error ? cause.message || codeOf(cause) : undefined
  return error.message === 'fetch failed' && reason ? `no connection (${reason})` : error.message
}

/** The code of a system error, such as `ENOSPC`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
