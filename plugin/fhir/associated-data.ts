import { type Findings, quote } from './findings.js'

/** Of the Provenance about a resource: the newest, or all. */
export type AssociatedProvenance = 'latest' | 'relevant'

const VALUES: ReadonlyMap<string, AssociatedProvenance> = new Map([
  ['LatestProvenanceResources', 'latest'],
  ['RelevantProvenanceResources', 'relevant'],
])

/**
 * Reads `includeAssociatedData` (Bulk Data 3.0.0). Of both values the one that returns more counts.
 *
 * @param hasProvenance whether the host can search Provenance
 */
export function parseAssociatedData(
  values: readonly string[],
  { hasProvenance, findings }: { readonly hasProvenance: boolean; readonly findings: Findings },
): AssociatedProvenance | undefined {
  const asked = values
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '')
  const known = asked.flatMap((value) => {
    const choice = VALUES.get(value)
    if (choice !== undefined && hasProvenance) return [choice]
    const why =
      choice === undefined
        ? `use ${[...VALUES.keys()].join(' or ')}`
        : 'there are no Provenance resources on this server'
    findings.unsupported(
      `includeAssociatedData ${quote(value)} is not supported; ${why}.`,
      'includeAssociatedData',
    )
    return []
  })
  if (values.length > 0 && asked.length === 0) {
    findings.unsupported('includeAssociatedData has no value.', 'includeAssociatedData')
  }
  return known.includes('relevant') ? 'relevant' : known[0]
}
