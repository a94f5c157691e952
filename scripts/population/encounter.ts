import type { CodeableConcept, Condition, Encounter, Reference } from 'fhir/r4.js'
import { dateTime, MINUTE } from './calendar.js'
import type { Subject } from './subject.js'
import { coding, concept, hl7, hl7Concept, SNOMED } from './terminology.js'

/** One stay at or contact with the practice; everything that is found or done happens during a visit. */
export interface Visit {
  readonly id: string
  readonly reference: Reference
  readonly doctor: Reference
  readonly kind: Kind
  readonly start: number
  readonly end: number
}

interface Kind {
  readonly type: CodeableConcept
  /** Of the HL7 code system ActCode. */
  readonly class: readonly [code: string, display: string]
  /** In minutes. */
  readonly length: readonly [low: number, high: number]
  /** In cents. */
  readonly fee: number
}

const KINDS: readonly (readonly [weight: number, kind: Kind])[] = [
  [30, kind('185349003', 'Encounter for check up', 'AMB', 'ambulatory', 15, 60, 12_950)],
  [25, kind('185345009', 'Encounter for symptom', 'AMB', 'ambulatory', 10, 40, 9_800)],
  [20, kind('185389009', 'Follow-up visit', 'AMB', 'ambulatory', 10, 30, 7_525)],
  [8, kind('50849002', 'Emergency room admission', 'EMER', 'emergency', 60, 720, 64_000)],
  [6, kind('32485007', 'Hospital admission', 'IMP', 'inpatient encounter', 1_440, 14_400, 412_399)],
  [7, kind('448337001', 'Telemedicine consultation with patient', 'VR', 'virtual', 5, 30, 5_000)],
  [4, kind('439708006', 'Home visit', 'HH', 'home health', 20, 90, 15_010)],
]

export function visit(subject: Subject, start: number): Visit {
  const { dice, practice } = subject
  const kind = dice.weighted(KINDS)
  const id = subject.nextId('encounter')
  const [low, high] = kind.length
  return {
    id,
    reference: { reference: `Encounter/${id}` },
    doctor: practice.someone(dice),
    kind,
    start,
    end: start + dice.between(low, high) * MINUTE,
  }
}

export function encounter(subject: Subject, visit: Visit, conditions: readonly Condition[]): Encounter {
  const { practice, dice } = subject
  const [code, display] = visit.kind.class
  const inpatient = code === 'IMP'
  const period = { start: dateTime(visit.start, practice.zone), end: dateTime(visit.end, practice.zone) }
  return {
    resourceType: 'Encounter',
    id: visit.id,
    meta: subject.stamp(),
    identifier: [{ use: 'official', system: 'http://example.org/fhir/NamingSystem/visit', value: visit.id }],
    status: 'finished',
    class: coding(hl7('v3-ActCode'), code, display),
    type: [visit.kind.type],
    ...(dice.chance(40) && { priority: hl7Concept('v3-ActPriority', 'R', 'routine') }),
    subject: subject.reference,
    participant: [
      {
        type: [hl7Concept('v3-ParticipationType', 'PPRF', 'primary performer')],
        period,
        individual: visit.doctor,
      },
    ],
    period,
    length: {
      value: (visit.end - visit.start) / MINUTE,
      unit: 'min',
      system: 'http://unitsofmeasure.org',
      code: 'min',
    },
    ...(conditions.length > 0 && {
      reasonReference: conditions.map(({ id }) => ({ reference: `Condition/${id}` })),
      diagnosis: conditions.map(({ id }, index) => ({
        condition: { reference: `Condition/${id}` },
        use: hl7Concept('diagnosis-role', 'CC', 'Chief complaint'),
        rank: index + 1,
      })),
    }),
    ...(inpatient && {
      hospitalization: {
        admitSource: hl7Concept('admit-source', 'gp', 'General Practitioner referral'),
        dischargeDisposition: hl7Concept('discharge-disposition', 'home', 'Home'),
      },
    }),
    serviceProvider: practice.reference,
  }
}

/** The day a visit counts for, as a FHIR date would name it at the practice. */
export function visitDay(subject: Subject, visit: Visit): string {
  return dateTime(visit.start, subject.practice.zone).slice(0, 10)
}

/** A moment some time after the visit, at the latest `days` later. */
export function soonAfter(subject: Subject, visit: Visit, days: number): number {
  return visit.end + subject.dice.below(days * 24 * 60) * MINUTE
}

function kind(
  code: string,
  display: string,
  classCode: string,
  classDisplay: string,
  low: number,
  high: number,
  fee: number,
): Kind {
  return { type: concept(SNOMED, code, display), class: [classCode, classDisplay], length: [low, high], fee }
}
