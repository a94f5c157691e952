/** What the `Prefer` header asks for (RFC 7240). Unknown preferences are ignored and the first of several alike counts, as the RFC wants it. */
export interface Preferences {
  readonly respondAsync: boolean
  /** `handling=lenient`: go on without what this server does not support (Bulk Data 3.0.0, kick-off). */
  readonly lenient: boolean
  /** Status answers speak of themselves, and name the status of the export apart (Bulk Data 3.0.0, kick-off). */
  readonly separateStatus: boolean
}

export function parsePrefer(header: string | undefined): Preferences {
  const tokens = (header ?? '')
    .split(/[,;]/)
    .map((token) => token.replaceAll(/[\s"]/g, '').toLowerCase())
    .filter((token) => token !== '')
  return {
    respondAsync: tokens.includes('respond-async'),
    lenient: tokens.find((token) => token.startsWith('handling=')) === 'handling=lenient',
    separateStatus: tokens.includes('separate-export-status'),
  }
}
