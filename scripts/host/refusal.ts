import { ServerError } from './core.js'

/** An error that the core answers with this status and an OperationOutcome of one issue. */
export function refusal(statusCode: number, code: string, diagnostics: string): Error {
  return new ServerError(diagnostics, { statusCode, issue: [{ severity: 'error', code, diagnostics }] })
}

/** 400: what was sent cannot be understood. */
export function invalid(diagnostics: string): Error {
  return refusal(400, 'invalid', diagnostics)
}

/** 400: what was sent is right, but this host cannot do it. */
export function notSupported(diagnostics: string): Error {
  return refusal(400, 'not-supported', diagnostics)
}
