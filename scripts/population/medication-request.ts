import type { CodeableConcept, Condition, Dosage, MedicationRequest } from 'fhir/r4.js'
import { DAY, date, dateTime } from './calendar.js'
import { conditionReference, type Disease } from './condition.js'
import type { Visit } from './encounter.js'
import { note } from './notes.js'
import type { Subject } from './subject.js'
import { hl7Concept, quantity, RXNORM } from './terminology.js'

interface Drug {
  readonly code: CodeableConcept
  readonly timesDaily: number
  /** What one dose is counted in, as UCUM writes it. */
  readonly unit: string
  /** What one package of a month costs, in cents. */
  readonly price: number
}

const DRUGS: Readonly<Record<string, Drug>> = {
  lisinopril: drug('314076', 'lisinopril 10 MG Oral Tablet', 1, '{tablet}', 899),
  hydrochlorothiazide: drug('310798', 'hydrochlorothiazide 25 MG Oral Tablet', 1, '{tablet}', 450),
  amlodipine: drug('197361', 'amlodipine 5 MG Oral Tablet', 1, '{tablet}', 725),
  metformin: drug(
    '860975',
    '24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet',
    2,
    '{tablet}',
    1_250,
  ),
  simvastatin: drug('312961', 'simvastatin 20 MG Oral Tablet', 1, '{tablet}', 975),
  atorvastatin: drug('259255', 'atorvastatin 80 MG Oral Tablet', 1, '{tablet}', 1_599),
  albuterol: drug('745679', '200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler', 4, '{actuat}', 5_499),
  naproxen: drug('849574', 'naproxen sodium 220 MG Oral Tablet', 2, '{tablet}', 630),
  ibuprofen: drug('310965', 'ibuprofen 200 MG Oral Tablet', 3, '{tablet}', 399),
  acetaminophen: drug('313782', 'acetaminophen 325 MG Oral Tablet', 4, '{tablet}', 350),
  amoxicillin: drug('308182', 'amoxicillin 250 MG Oral Capsule', 3, '{capsule}', 1_105),
  alendronate: drug('904419', 'alendronic acid 10 MG Oral Tablet', 1, '{tablet}', 2_080),
  aspirin: drug('243670', 'aspirin 81 MG Oral Tablet', 1, '{tablet}', 299),
  metoprolol: drug(
    '866412',
    '24 HR metoprolol succinate 100 MG Extended Release Oral Tablet',
    1,
    '{tablet}',
    1_820,
  ),
  warfarin: drug('855332', 'warfarin sodium 5 MG Oral Tablet', 1, '{tablet}', 1_010),
}

const EQUIVALENT = hl7Concept('v3-substanceAdminSubstitution', 'E', 'equivalent')
const NONE = hl7Concept('v3-substanceAdminSubstitution', 'N', 'none')

/** What a prescription costs, in cents; 0 for a drug that is not on the list. */
export function priceOf(request: MedicationRequest): number {
  const code = request.medicationCodeableConcept?.coding?.[0]?.code
  return Object.values(DRUGS).find((drug) => drug.code.coding?.[0]?.code === code)?.price ?? 0
}

/** A prescription against a disease; none when no drug helps. */
export function prescription(
  subject: Subject,
  visit: Visit,
  disease: Disease,
  condition: Condition,
): MedicationRequest | undefined {
  if (disease.drugs.length === 0) return undefined
  const { dice, practice } = subject
  const drug = DRUGS[dice.pick(disease.drugs)]
  if (drug === undefined) throw new Error(`${disease.name} names a drug that is not on the list`)
  const days = disease.chronic ? 90 : dice.between(5, 14)
  const status = disease.chronic && dice.chance(60) ? 'active' : dice.chance(85) ? 'completed' : 'stopped'
  return {
    resourceType: 'MedicationRequest',
    id: subject.nextId('medication'),
    meta: subject.stamp(),
    status,
    intent: 'order',
    category: [hl7Concept('medicationrequest-category', 'community', 'Community')],
    medicationCodeableConcept: drug.code,
    subject: subject.reference,
    encounter: visit.reference,
    authoredOn: dateTime(visit.end, practice.zone),
    requester: visit.doctor,
    reasonReference: [conditionReference(condition)],
    ...(dice.chance(15) && { note: [note(subject, visit.end)] }),
    dosageInstruction: [dosage(drug, !disease.chronic)],
    dispenseRequest: {
      validityPeriod: { start: date(visit.end), end: date(visit.end + days * DAY) },
      numberOfRepeatsAllowed: disease.chronic ? 3 : 0,
      quantity: quantity(drug.timesDaily * days, drug.unit),
      expectedSupplyDuration: { value: days, unit: 'days', system: 'http://unitsofmeasure.org', code: 'd' },
    },
    substitution: { allowedCodeableConcept: dice.chance(80) ? EQUIVALENT : NONE },
  }
}

function dosage(drug: Drug, asNeeded: boolean): Dosage {
  return {
    sequence: 1,
    text: `1 ${drug.unit.slice(1, -1)} ${drug.timesDaily} × daily${asNeeded ? ', as needed' : ''}`,
    timing: { repeat: { frequency: drug.timesDaily, period: 1, periodUnit: 'd' } },
    asNeededBoolean: asNeeded,
    doseAndRate: [
      { type: hl7Concept('dose-rate-type', 'ordered', 'Ordered'), doseQuantity: quantity(1, drug.unit) },
    ],
  }
}

function drug(code: string, display: string, timesDaily: number, unit: string, price: number): Drug {
  return { code: { coding: [{ system: RXNORM, code, display }], text: display }, timesDaily, unit, price }
}
