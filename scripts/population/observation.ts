import type { CodeableConcept, Observation, Reference } from 'fhir/r4.js'
import { dateTime, instant } from './calendar.js'
import { soonAfter, type Visit } from './encounter.js'
import { note } from './notes.js'
import type { Subject } from './subject.js'
import { hl7, hl7Concept } from './terminology.js'

const CATEGORIES = {
  'vital-signs': hl7Concept('observation-category', 'vital-signs', 'Vital Signs'),
  laboratory: hl7Concept('observation-category', 'laboratory', 'Laboratory'),
  survey: hl7Concept('observation-category', 'survey', 'Survey'),
  'social-history': hl7Concept('observation-category', 'social-history', 'Social History'),
  exam: hl7Concept('observation-category', 'exam', 'Exam'),
} satisfies Record<string, CodeableConcept>

const INTERPRETATIONS = {
  low: interpretation('L', 'Low'),
  normal: interpretation('N', 'Normal'),
  high: interpretation('H', 'High'),
}

/** What makes one observation differ from the next: its value, or why there is none. */
export type Finding = Pick<Observation, 'code'> & Partial<Observation>

/** An observation made during a visit by its doctor, unless the finding names another performer. */
export function observation(
  subject: Subject,
  visit: Visit,
  category: keyof typeof CATEGORIES,
  finding: Finding,
): Observation {
  const { dice, practice } = subject
  return {
    resourceType: 'Observation',
    id: subject.nextId('observation'),
    meta: subject.stamp(),
    status: dice.chance(95) ? 'final' : 'amended',
    category: [CATEGORIES[category]],
    subject: subject.reference,
    encounter: visit.reference,
    effectiveDateTime: dateTime(visit.start, practice.zone),
    issued: instant(soonAfter(subject, visit, 3)),
    performer: [visit.doctor],
    ...(dice.chance(8) && { note: [note(subject, visit.end)] }),
    ...finding,
  }
}

/** How a measured value compares with the normal ones, both limits included. */
export function interpret(value: number, low: number, high: number): CodeableConcept[] {
  return [INTERPRETATIONS[value < low ? 'low' : value > high ? 'high' : 'normal']]
}

export function observationReference(observation: Observation): Reference {
  return { reference: `Observation/${observation.id}`, display: observation.code.text ?? '' }
}

function interpretation(code: string, display: string): CodeableConcept {
  return { coding: [{ system: hl7('v3-ObservationInterpretation'), code, display }], text: display }
}
