import type { AllergyIntolerance, CodeableConcept, Reference } from 'fhir/r4.js'
import { date, dateTime } from './calendar.js'
import { note, remark } from './notes.js'
import type { Subject } from './subject.js'
import { concept, hl7Concept, SNOMED } from './terminology.js'

type Category = 'food' | 'medication' | 'environment' | 'biologic'

const SUBSTANCES: readonly (readonly [category: Category, code: CodeableConcept])[] = [
  ['food', concept(SNOMED, '762952008', 'Peanut')],
  ['food', concept(SNOMED, '227493005', 'Cashew nuts')],
  ['medication', concept(SNOMED, '764146007', 'Penicillin')],
  ['medication', concept(SNOMED, '387207008', 'Ibuprofen')],
  ['medication', concept(SNOMED, '387458008', 'Aspirin')],
  ['environment', concept(SNOMED, '288328004', 'Bee venom')],
  ['environment', concept(SNOMED, '256277009', 'Grass pollen')],
  ['environment', concept(SNOMED, '111088007', 'Latex')],
]

const REACTIONS = [
  concept(SNOMED, '247472004', 'Wheal'),
  concept(SNOMED, '39579001', 'Anaphylaxis'),
  concept(SNOMED, '422587007', 'Nausea'),
  concept(SNOMED, '271807003', 'Eruption of skin'),
  concept(SNOMED, '267036007', 'Dyspnea'),
]

/** With another patient as `asserter` it is in the compartments of both. */
export function allergyIntolerance(subject: Subject, asserter: Reference): AllergyIntolerance {
  const { dice, practice } = subject
  const [category, code] = dice.pick(SUBSTANCES)
  const moment = subject.someMoment()
  return {
    resourceType: 'AllergyIntolerance',
    id: subject.nextId('allergy'),
    meta: subject.stamp(),
    clinicalStatus: hl7Concept('allergyintolerance-clinical', 'active', 'Active'),
    verificationStatus: hl7Concept('allergyintolerance-verification', 'confirmed', 'Confirmed'),
    type: dice.chance(80) ? 'allergy' : 'intolerance',
    category: [category],
    criticality: dice.pick(['low', 'high', 'unable-to-assess'] as const),
    code,
    patient: subject.reference,
    onsetDateTime: date(moment).slice(0, dice.pick([4, 7, 10])),
    recordedDate: dateTime(moment, practice.zone),
    recorder: practice.someone(dice),
    asserter,
    ...(dice.chance(60) && {
      reaction: [
        {
          manifestation: dice.sample(REACTIONS, dice.between(1, 2)),
          description: remark(subject),
          severity: dice.pick(['mild', 'moderate', 'severe'] as const),
        },
      ],
    }),
    ...(dice.chance(50) && { note: [note(subject, moment)] }),
  }
}
