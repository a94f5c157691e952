import type { CarePlan, CodeableConcept, Condition } from 'fhir/r4.js'
import { DAY, date, dateTime } from './calendar.js'
import { conditionReference } from './condition.js'
import { type Visit, visitDay } from './encounter.js'
import { escapeMarkup, narrative } from './narrative.js'
import { note, remark, story } from './notes.js'
import type { Subject } from './subject.js'
import { concept, SNOMED } from './terminology.js'

const CARE_PLAN = concept(SNOMED, '734163000', 'Care plan')

const ACTIVITIES: readonly CodeableConcept[] = [
  concept(SNOMED, '160670007', 'Diabetic diet'),
  concept(SNOMED, '229065009', 'Exercise therapy'),
  concept(SNOMED, '226234005', 'Healthy diet'),
  concept(SNOMED, '225323000', 'Smoking cessation education'),
]

/** What to do about a condition that will stay. */
export function carePlan(subject: Subject, visit: Visit, condition: Condition): CarePlan {
  const { dice, practice } = subject
  const title = `Plan for ${condition.code?.text ?? 'the condition'}`
  const over = dice.chance(40)
  const end = visit.end + dice.between(20, 55) * DAY
  return {
    resourceType: 'CarePlan',
    id: subject.nextId('plan'),
    meta: subject.stamp(),
    text: narrative(`<h2>${escapeMarkup(title)}</h2><p>${escapeMarkup(story(subject))}</p>`),
    status: over ? 'completed' : 'active',
    intent: 'plan',
    category: [CARE_PLAN],
    title,
    description: remark(subject),
    subject: subject.reference,
    encounter: visit.reference,
    period: over ? { start: visitDay(subject, visit), end: date(end) } : { start: visitDay(subject, visit) },
    created: dateTime(visit.end, practice.zone),
    author: visit.doctor,
    contributor: [practice.reference],
    addresses: [conditionReference(condition)],
    activity: dice.sample(ACTIVITIES, dice.between(1, 3)).map((code) => ({
      detail: {
        code,
        status: over ? ('completed' as const) : ('in-progress' as const),
        scheduledTiming: { repeat: { frequency: dice.between(1, 3), period: 1, periodUnit: 'd' as const } },
        performer: [subject.reference],
        description: remark(subject),
      },
    })),
    ...(dice.chance(50) && { note: [note(subject, visit.end)] }),
  }
}
