import type { CodeableConcept, Condition, Procedure } from 'fhir/r4.js'
import { dateTime, MINUTE } from './calendar.js'
import { conditionReference } from './condition.js'
import type { Visit } from './encounter.js'
import { note } from './notes.js'
import type { Subject } from './subject.js'
import { concept, SNOMED } from './terminology.js'

interface Operation {
  readonly code: CodeableConcept
  /** In minutes; 0 for what takes no time worth writing down. */
  readonly length: number
  /** In cents. */
  readonly fee: number
}

const OPERATIONS: readonly (readonly [weight: number, operation: Operation])[] = [
  [20, operation('430193006', 'Medication reconciliation', 0, 2_500)],
  [14, operation('710824005', 'Assessment of health and social care needs', 20, 4_000)],
  [12, operation('171207006', 'Depression screening', 10, 1_850)],
  [12, operation('29303009', 'Electrocardiographic procedure', 10, 7_550)],
  [10, operation('399208008', 'Plain X-ray of chest', 15, 11_200)],
  [6, operation('40701008', 'Echocardiography', 45, 45_075)],
  [5, operation('73761001', 'Colonoscopy', 40, 121_001)],
  [2, operation('80146002', 'Excision of appendix', 70, 834_999)],
  [2, operation('38102005', 'Cholecystectomy', 90, 913_020)],
]

const DIAGNOSTIC = { coding: [{ system: SNOMED, code: '103693007', display: 'Diagnostic procedure' }] }
const SUCCESSFUL = { coding: [{ system: SNOMED, code: '385669000', display: 'Successful' }] }

export function procedure(subject: Subject, visit: Visit, condition: Condition | undefined): Procedure {
  const { dice, practice } = subject
  const { code, length } = dice.weighted(OPERATIONS)
  const start = dateTime(visit.start, practice.zone)
  return {
    resourceType: 'Procedure',
    id: subject.nextId('procedure'),
    meta: subject.stamp(),
    status: 'completed',
    ...(dice.chance(50) && { category: DIAGNOSTIC }),
    code,
    subject: subject.reference,
    encounter: visit.reference,
    ...(length > 0
      ? { performedPeriod: { start, end: dateTime(visit.start + length * MINUTE, practice.zone) } }
      : { performedDateTime: start }),
    recorder: visit.doctor,
    performer: [{ actor: visit.doctor, onBehalfOf: practice.reference }],
    ...(condition && { reasonReference: [conditionReference(condition)] }),
    ...(dice.chance(60) && { outcome: SUCCESSFUL }),
    ...(dice.chance(30) && { note: [note(subject, visit.end)] }),
  }
}

/** What a procedure costs, in cents; 0 for one that is not on the list. */
export function feeOf(procedure: Procedure): number {
  return OPERATIONS.find(([, { code }]) => code === procedure.code)?.[1].fee ?? 0
}

function operation(code: string, name: string, length: number, fee: number): Operation {
  return { code: concept(SNOMED, code, name), length, fee }
}
