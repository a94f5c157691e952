/**
 * Whether a client likes gzip at least as much as the plain bytes, by its `Accept-Encoding` header (RFC 9110,
 * 12.5.3). One that names no coding gets the plain bytes; so does one that refuses everything, since the
 * guide has all clients take them (Bulk Data 3.0.0, "Bulk Data Output File Request").
 */
export function prefersGzip(header: string | undefined): boolean {
  const weights = new Map<string, number>()
  for (const member of (header ?? '').toLowerCase().split(',')) {
    const [, coding, weight = '1'] = MEMBER.exec(member) ?? []
    if (coding !== undefined) weights.set(coding, Number(weight))
  }
  const rest = weights.get('*') ?? 0
  const gzip = weights.get('gzip') ?? weights.get('x-gzip') ?? rest
  return gzip > 0 && gzip >= (weights.get('identity') ?? rest)
}

/** What is written otherwise says nothing. */
const MEMBER = /^\s*([a-z0-9*-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$/
