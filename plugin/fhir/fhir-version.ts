import type { IssuePointer } from '../errors.js'

/** A release of FHIR that exports know: versions of the same release differ in nothing that an export looks at. */
export type FhirRelease = 'R4' | 'STU3' | 'DSTU2'

const RELEASES: ReadonlyMap<string, FhirRelease> = new Map([
  ['4_0_0', 'R4'],
  ['4_0_1', 'R4'],
  ['3_0_1', 'STU3'],
  ['1_0_2', 'DSTU2'],
])

/** The FHIR versions that are exported, as the host core writes them. */
export const EXPORT_VERSIONS: readonly string[] = [...RELEASES.keys()]

/**
 * The release that a version belongs to.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported: to take it for another one could hand out the wrong resources
 */
export function releaseOf(version: string): FhirRelease {
  const release = RELEASES.get(version)
  if (release !== undefined) return release
  throw new Error(`FHIR version ${version} is not exported; use one of ${EXPORT_VERSIONS.join(', ')}.`)
}

/**
 * The element of an OperationOutcome's issue that names what is meant.
 *
 * @throws Error for a version that is not exported
 */
export function issuePointer(version: string): IssuePointer {
  return releaseOf(version) === 'DSTU2' ? 'location' : 'expression'
}
