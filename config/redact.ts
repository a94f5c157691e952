const SECRET_PARAMETER =
  /([?&][^=&]*(?:password|token|secret|signature|sig|key|authmechanismproperties)[^=&]*=)[^&\s]*/gi

/**
 * `value` without what nobody may read in a log or an error message: the user and password before the `@` of a
 * URI, and query parameters that carry a secret. Works on values that are no valid URI, since those are the ones
 * that end up in error messages; when in doubt it hides too much.
 */
export function redactCredentials(value: string): string {
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1***@').replace(SECRET_PARAMETER, '$1***')
}
