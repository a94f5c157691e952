import type { Claim, ClaimItem, Condition, MedicationRequest, Procedure } from 'fhir/r4.js'
import { dateTime } from './calendar.js'
import { conditionReference } from './condition.js'
import { type Visit, visitDay } from './encounter.js'
import { priceOf } from './medication-request.js'
import type { Insurer } from './practice.js'
import { feeOf } from './procedure.js'
import type { Subject } from './subject.js'
import { hl7Concept } from './terminology.js'

/** What a practice asks an insurer to pay for: a visit with all that was done, or one prescription. */
export interface Bill {
  readonly visit: Visit
  readonly insurer: Insurer
  readonly conditions: readonly Condition[]
  readonly procedures: readonly Procedure[]
  readonly prescription?: MedicationRequest
}

export function claim(subject: Subject, bill: Bill): Claim {
  const { practice, dice } = subject
  const { visit, insurer, conditions, procedures, prescription } = bill
  const items = prescription
    ? [drugItem(bill, prescription)]
    : [visitItem(bill), ...procedures.map(operationItem)]
  const cents = items.reduce((sum, item) => sum + Math.round((item.net?.value ?? 0) * 100), 0)
  return {
    resourceType: 'Claim',
    id: subject.nextId('claim'),
    meta: subject.stamp(),
    status: 'active',
    type: prescription
      ? hl7Concept('claim-type', 'pharmacy', 'Pharmacy')
      : hl7Concept('claim-type', 'professional', 'Professional'),
    use: 'claim',
    patient: subject.reference,
    billablePeriod: { start: dateTime(visit.start, practice.zone), end: dateTime(visit.end, practice.zone) },
    created: dateTime(visit.end, practice.zone),
    insurer: insurer.reference,
    provider: practice.reference,
    priority: dice.chance(95)
      ? hl7Concept('processpriority', 'normal', 'Normal')
      : hl7Concept('processpriority', 'stat', 'Immediate'),
    ...(prescription && { prescription: { reference: `MedicationRequest/${prescription.id}` } }),
    careTeam: [{ sequence: 1, provider: visit.doctor }],
    ...(conditions.length > 0 && {
      diagnosis: conditions.map((condition, index) => ({
        sequence: index + 1,
        diagnosisReference: conditionReference(condition),
      })),
    }),
    ...(procedures.length > 0 && {
      procedure: procedures.map(({ id }, index) => ({
        sequence: index + 1,
        procedureReference: { reference: `Procedure/${id}` },
      })),
    }),
    insurance: [{ sequence: 1, focal: true, coverage: { reference: `Coverage/${subject.id}-coverage` } }],
    item: items.map((item, index) => ({
      ...item,
      sequence: index + 1,
      servicedDate: visitDay(subject, visit),
    })),
    total: money(cents),
  }
}

/** `cents` as FHIR writes an amount. All of this population's money is of one currency. */
export function money(cents: number): { value: number; currency: 'USD' } {
  return { value: cents / 100, currency: 'USD' }
}

function visitItem({ visit, conditions }: Bill): ClaimItem {
  return {
    ...line(visit.kind.fee),
    careTeamSequence: [1],
    ...(conditions.length > 0 && { diagnosisSequence: conditions.map((_, index) => index + 1) }),
    productOrService: visit.kind.type,
    encounter: [visit.reference],
  }
}

function operationItem(procedure: Procedure, index: number): ClaimItem {
  return {
    ...line(feeOf(procedure)),
    procedureSequence: [index + 1],
    productOrService: procedure.code ?? {},
    ...(procedure.encounter && { encounter: [procedure.encounter] }),
  }
}

function drugItem({ visit }: Bill, prescription: MedicationRequest): ClaimItem {
  return {
    ...line(priceOf(prescription)),
    productOrService: prescription.medicationCodeableConcept ?? {},
    encounter: [visit.reference],
  }
}

function line(cents: number) {
  return { sequence: 1, quantity: { value: 1 }, unitPrice: money(cents), net: money(cents) }
}
