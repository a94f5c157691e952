/** Which endpoint an export is asked for at. */
export type Level = 'system' | 'patient' | { readonly group: string }

/** Kick-off parameters in their order; one that is repeated comes several times. */
export type Parameters = readonly (readonly [name: string, value: string])[]

/** A kick-off as it is sent. */
export interface KickOffRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** Many servers and proxies refuse longer URLs. */
const LONGEST_URL = 2000

/** In a `Parameters` resource, where the value is no `valueString` (Bulk Data 3.0.0, query parameters). */
const VALUES: Readonly<Record<string, (value: string) => object>> = {
  _since: (value) => ({ valueInstant: value }),
  _until: (value) => ({ valueInstant: value }),
  patient: (value) => ({ valueReference: { reference: value } }),
  allowPartialManifests: (value) => ({ valueBoolean: value === 'true' }),
}

/**
 * A kick-off by GET; by POST with a `Parameters` resource when `post` says so, for a `patient` (the guide has it by
 * POST only), and when the URL would be too long.
 *
 * @param base the FHIR base URL, without a slash at the end
 */
export function kickOffRequest(
  base: string,
  level: Level,
  parameters: Parameters,
  { post = false, lenient = false }: { readonly post?: boolean; readonly lenient?: boolean } = {},
): KickOffRequest {
  const endpoint = `${base}/${pathOf(level)}`
  const query = new URLSearchParams(
    parameters.map(([name, value]): [string, string] => [name, value]),
  ).toString()
  const url = query === '' ? endpoint : `${endpoint}?${query}`
  const headers = {
    Accept: 'application/fhir+json',
    Prefer: lenient ? 'respond-async, handling=lenient' : 'respond-async',
  }
  if (!post && url.length <= LONGEST_URL && parameters.every(([name]) => name !== 'patient')) {
    return { method: 'GET', url, headers }
  }
  const parameter = parameters.map(([name, value]) => ({
    name,
    ...(VALUES[name]?.(value) ?? { valueString: value }),
  }))
  return {
    method: 'POST',
    url: endpoint,
    headers: { ...headers, 'Content-Type': 'application/fhir+json' },
    body: JSON.stringify({ resourceType: 'Parameters', parameter }),
  }
}

function pathOf(level: Level): string {
  if (level === 'system') return '$export'
  return level === 'patient' ? 'Patient/$export' : `Group/${encodeURIComponent(level.group)}/$export`
}
