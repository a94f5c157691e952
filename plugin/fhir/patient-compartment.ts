import { COMPARTMENT_DSTU2 } from './compartment-dstu2.js'
import { COMPARTMENT_R4 } from './compartment-r4.js'
import { COMPARTMENT_STU3 } from './compartment-stu3.js'
import { type FhirRelease, releaseOf } from './fhir-version.js'
import { localReference } from './reference.js'
import type { Resource, ResourceType } from './resource.js'

/** One way a resource type gets into a patient's compartment: a search parameter and the element it reads. */
export interface CompartmentPath {
  readonly parameter: string
  readonly path: readonly string[]
}

/**
 * What is in the compartments of patients in one FHIR version: its CompartmentDefinition `patient`.
 *
 * Where two parameters read the same element, one stands for both; where one parameter reads two elements (AuditEvent
 * `patient`), each element has the parameter that reads it alone, so that what a search finds and what a check looks
 * at stay the same thing.
 */
export interface PatientCompartment {
  /** The types that can be in a patient's compartment, `Patient` among them, in alphabetical order. */
  readonly types: readonly ResourceType[]
  /** Whether resources of this type can be in a patient's compartment. */
  has(type: ResourceType): boolean
  /**
   * The ways into the compartment for a type, in a fixed order; empty for `Patient`, which is in it by its own
   * id, and for types outside. `Patient.link` is left out on purpose: following it would hand out the record of
   * a person who is not a member.
   */
  paths(type: ResourceType): readonly CompartmentPath[]
  /**
   * Every reason why this resource is in a patient's compartment.
   *
   * @param base the FHIR base URL of this server, to tell its own absolute references from foreign ones
   */
  memberships(resource: Resource, base: string): Membership[]
}

/** One reason why a resource is in a compartment: which patient, and by which of the type's paths. */
export interface Membership {
  readonly patient: string
  /** Index in `paths(type)`; 0 for a Patient itself. */
  readonly path: number
  /**
   * Whether the reference is written as `Patient/[id]`, which every search by reference finds. Not all find an
   * absolute or a versioned one.
   */
  readonly isPlain: boolean
}

const COMPARTMENTS: Readonly<Record<FhirRelease, PatientCompartment>> = {
  R4: definedBy(COMPARTMENT_R4),
  STU3: definedBy(COMPARTMENT_STU3),
  DSTU2: definedBy(COMPARTMENT_DSTU2),
}

/**
 * The patient compartment of a FHIR version.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported
 */
export function compartmentOf(version: string): PatientCompartment {
  return COMPARTMENTS[releaseOf(version)]
}

/** @param table for each type its inclusion parameters, as `parameter element.path` where the two differ */
function definedBy(table: Readonly<Record<ResourceType, readonly string[]>>): PatientCompartment {
  const known = new Map(Object.entries(table).map(([type, entries]) => [type, entries.map(toPath)]))
  const paths = (type: ResourceType) => known.get(type) ?? []
  return {
    ...{ types: [...known.keys()], paths },
    has: (type) => known.has(type),
    memberships(resource, base) {
      if (resource.resourceType === 'Patient') {
        return resource.id === undefined ? [] : [{ patient: resource.id, path: 0, isPlain: true }]
      }
      return paths(resource.resourceType).flatMap(({ path }, index) =>
        referencesAt(resource, path).flatMap((reference) => {
          const found = localReference(reference, base)
          if (found?.type !== 'Patient') return []
          return [{ patient: found.id, path: index, isPlain: reference === `Patient/${found.id}` }]
        }),
      )
    },
  }
}

function referencesAt(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => referencesAt(item, path))
  if (typeof value !== 'object' || value === null) return []
  const [element, ...rest] = path
  if (element === undefined) return 'reference' in value ? [value.reference] : []
  return element in value ? referencesAt((value as Record<string, unknown>)[element], rest) : []
}

function toPath(entry: string): CompartmentPath {
  const [parameter = '', path = parameter] = entry.split(' ')
  return { parameter, path: path.split('.') }
}
