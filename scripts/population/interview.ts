import type { CodeableConcept, Observation, Reference } from 'fhir/r4.js'
import { DAY, date, dateTime } from './calendar.js'
import type { Visit } from './encounter.js'
import { remark } from './notes.js'
import { type Finding, observation } from './observation.js'
import type { Subject } from './subject.js'
import { concept, hl7Concept, LOCAL, LOINC, SNOMED } from './terminology.js'

const SMOKING = concept(LOINC, '72166-2', 'Tobacco smoking status')
const PAIN = concept(LOINC, '72514-3', 'Pain severity - 0-10 verbal numeric rating [Score] - Reported')
const DEPRESSION = concept(
  LOINC,
  '44261-6',
  'Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]',
)
const FINDINGS = concept(LOINC, '10210-3', 'Physical findings of General status Narrative')
const LIVES_ALONE = concept(LOCAL, 'lives-alone', 'Lives alone')
const BEDTIME = concept(LOCAL, 'usual-bedtime', 'Usual bedtime')
const EYE_EXAM = concept(LOCAL, 'last-eye-examination', 'Date of the last eye examination')
const SICK_LEAVE = concept(LOCAL, 'sick-leave', 'Period of sick leave')
const OTHER_WORDS = concept(LOCAL, 'observed-at-home', 'What the family observed at home')

const SMOKING_STATUS: readonly CodeableConcept[] = [
  concept(SNOMED, '266919005', 'Never smoked tobacco'),
  concept(SNOMED, '8517006', 'Ex-smoker'),
  concept(SNOMED, '449868002', 'Smokes tobacco daily'),
]

/** One answer the patient gives, or one thing the doctor writes down in words. */
export function answer(subject: Subject, visit: Visit): Observation {
  const { dice, practice } = subject
  const ask = (category: 'survey' | 'social-history' | 'exam', finding: Finding) =>
    observation(subject, visit, category, finding)
  switch (dice.below(10)) {
    case 0:
      return ask('social-history', { code: SMOKING, valueCodeableConcept: dice.pick(SMOKING_STATUS) })
    case 1:
      return ask('survey', { code: PAIN, valueInteger: dice.between(0, 10) })
    case 2:
      return ask('survey', { code: DEPRESSION, valueInteger: dice.between(0, 27) })
    case 3:
      return ask('social-history', { code: LIVES_ALONE, valueBoolean: dice.chance(40) })
    case 4:
      return ask('survey', {
        code: BEDTIME,
        valueTime: `${dice.between(20, 23)}:${dice.pick(['00', '15', '30'])}:00`,
      })
    case 5: {
      const day = date(Math.max(subject.born, visit.start - dice.below(700) * DAY))
      return ask('survey', { code: EYE_EXAM, valueDateTime: day.slice(0, dice.pick([10, 7, 4])) })
    }
    case 6: {
      const start = dateTime(visit.start, practice.zone)
      const end = dateTime(visit.start + dice.between(1, 28) * DAY, practice.zone)
      return ask('social-history', {
        code: SICK_LEAVE,
        valuePeriod: dice.chance(80) ? { start, end } : { start },
      })
    }
    case 7: {
      const reason = hl7Concept('data-absent-reason', 'asked-declined', 'Asked But Declined')
      return ask('survey', { code: PAIN, dataAbsentReason: reason })
    }
    default:
      return ask('exam', { code: FINDINGS, valueString: remark(subject) })
  }
}

/** What another patient, a relative, has observed: this one is in the compartments of both. */
export function relativesObservation(subject: Subject, visit: Visit, relative: Reference): Observation {
  const finding = { code: OTHER_WORDS, valueString: remark(subject), performer: [relative] }
  return observation(subject, visit, 'social-history', finding)
}
