import { type FhirRelease, releaseOf } from './fhir-version.js'
import { MANDATORY_DSTU2 } from './mandatory-dstu2.js'
import { MANDATORY_R4 } from './mandatory-r4.js'
import { MANDATORY_STU3 } from './mandatory-stu3.js'
import type { ResourceType } from './resource.js'

const MANDATORY: Readonly<Record<FhirRelease, Readonly<Record<ResourceType, string>>>> = {
  R4: MANDATORY_R4,
  STU3: MANDATORY_STU3,
  DSTU2: MANDATORY_DSTU2,
}

/**
 * The elements that a resource of this type must have to be valid.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported
 */
export function mandatoryElements(type: ResourceType, version: string): readonly string[] {
  return MANDATORY[releaseOf(version)][type]?.split(' ') ?? []
}
