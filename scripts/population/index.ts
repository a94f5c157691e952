import type { FhirResource } from 'fhir/r4.js'
import { DIABETES } from './condition.js'
import { DiabetesRegistry, PANEL_SIZES, panel } from './group.js'
import { PATIENTS_PER_PRACTICE, Practice, sharedOrganizations } from './practice.js'
import { record } from './record.js'
import { Subject } from './subject.js'

export interface PopulationOptions {
  /** A positive whole number. */
  readonly patients: number
  /** Another seed makes other people; a number and its digits are the same seed. */
  readonly seed?: number | string
}

export const DEFAULT_SEED = 'population'

/** Every type a population can have. Groups need ten patients, and a small population may lack a rare type. */
export const RESOURCE_TYPES = [
  'AllergyIntolerance',
  'CarePlan',
  'Claim',
  'Condition',
  'Coverage',
  'DiagnosticReport',
  'Encounter',
  'ExplanationOfBenefit',
  'Group',
  'Immunization',
  'MedicationRequest',
  'Observation',
  'Organization',
  'Patient',
  'Practitioner',
  'Procedure',
] as const satisfies readonly FhirResource['resourceType'][]

/**
 * Synthetic patients `p1`, `p2`, … and their records, with the practices they go to. The same options give the same
 * resources, to the byte, on every machine. A larger population begins with all resources of a smaller one, in the same
 * order, so an export of either can be checked against the other.
 *
 * What an exporter has to get right here:
 * - Every tenth patient pN has a relative, the patient p(N/2), who holds the contract of the Coverage (`subscriber`), has
 *   made one Observation (`performer`) and has asserted one AllergyIntolerance (`asserter`). These three resources are in
 *   the compartments of both patients: 3 × ⌊patients / 10⌋ in all. The only others in several compartments are the Groups.
 * - The Groups `panel-10`, `panel-100` and `panel-1000` hold the first so many patients, each as soon as there are so
 *   many; `diabetes-registry` holds patients far apart, of whom the first has left (`inactive`). It appears with the
 *   eleventh patient with diabetes, somewhere past the hundredth patient.
 * - One Observation per panel is about the Group (`subject`) and so in no compartment at all. Practitioners and
 *   Organizations are in none either.
 * - Ids do not sort like numbers, and one may begin with another: `p1`, `p10`, `p2`.
 *
 * Resources share parts with each other: treat them as read-only.
 */
export function* population({ patients, seed = DEFAULT_SEED }: PopulationOptions): Generator<FhirResource> {
  if (!Number.isSafeInteger(patients) || patients < 1) {
    throw new RangeError(`The number of patients must be a positive whole number, not ${patients}`)
  }
  const key = String(seed)
  const registry = new DiabetesRegistry(key)
  yield* sharedOrganizations(key)
  let practice = new Practice(key, 1)
  for (let number = 1; number <= patients; number++) {
    if (number % PATIENTS_PER_PRACTICE === 1) {
      practice = new Practice(key, (number - 1) / PATIENTS_PER_PRACTICE + 1)
      yield practice.organization
      yield* practice.practitioners
    }
    const subject = new Subject(key, number, practice)
    let diabetic = false
    for (const resource of record(subject)) {
      diabetic ||= isDiabetes(resource)
      yield resource
    }
    if (diabetic) yield* registry.add(subject.id)
    if (PANEL_SIZES.includes(number)) yield* panel(key, number)
  }
}

function isDiabetes(resource: FhirResource): boolean {
  return resource.resourceType === 'Condition' && resource.code?.coding?.[0]?.code === DIABETES
}
