import type { CodeableConcept, Condition, Reference } from 'fhir/r4.js'
import { DAY, date, dateTime } from './calendar.js'
import type { Visit } from './encounter.js'
import { escapeMarkup, narrative } from './narrative.js'
import { note, story } from './notes.js'
import type { Subject } from './subject.js'
import { hl7Concept, ICD_10_CM, SNOMED } from './terminology.js'

export interface Disease {
  readonly name: string
  /** SNOMED CT, and ICD-10-CM where it has a code of the same meaning. */
  readonly code: CodeableConcept
  /** Stays once it is there. */
  readonly chronic: boolean
  /** The age in years from which people have it. */
  readonly fromAge: number
  /** Names of `DRUGS`. */
  readonly drugs: readonly string[]
}

export const DIABETES = '44054006'

const DISEASES: readonly (readonly [weight: number, disease: Disease])[] = [
  [10, chronic('38341003', 'Hypertensive disorder', 'I10', 30, 'lisinopril hydrochlorothiazide amlodipine')],
  [5, chronic(DIABETES, 'Diabetes mellitus type 2', 'E11.9', 30, 'metformin')],
  [6, chronic('55822004', 'Hyperlipidemia', 'E78.5', 30, 'simvastatin atorvastatin')],
  [4, chronic('195967001', 'Asthma', 'J45.909', 4, 'albuterol')],
  [3, chronic('13645005', 'Chronic obstructive lung disease', 'J44.9', 45, 'albuterol')],
  [4, chronic('35489007', 'Depressive disorder', 'F32.A', 14, '')],
  [4, chronic('396275006', 'Osteoarthritis', 'M19.90', 45, 'naproxen ibuprofen')],
  [3, chronic('64859006', 'Osteoporosis', 'M81.0', 55, 'alendronate')],
  [3, chronic('37796009', 'Migraine', 'G43.909', 12, 'ibuprofen')],
  [4, chronic('235595009', 'Gastroesophageal reflux disease', 'K21.9', 18, '')],
  [4, chronic('15777000', 'Prediabetes', 'R73.03', 25, '')],
  [3, chronic('53741008', 'Coronary arteriosclerosis', 'I25.10', 45, 'aspirin metoprolol')],
  [2, chronic('49436004', 'Atrial fibrillation', 'I48.91', 50, 'warfarin metoprolol')],
  [2, chronic('40930008', 'Hypothyroidism', 'E03.9', 20, '')],
  [2, chronic('709044004', 'Chronic kidney disease', 'N18.9', 50, '')],
  [9, acute('10509002', 'Acute bronchitis', 'J20.9', 'amoxicillin acetaminophen')],
  [9, acute('195662009', 'Acute viral pharyngitis', undefined, 'acetaminophen')],
  [9, acute('444814009', 'Viral sinusitis', undefined, 'ibuprofen')],
  [6, acute('65363002', 'Otitis media', 'H66.90', 'amoxicillin')],
  [4, acute('271737000', 'Anemia', 'D64.9', '')],
  [4, acute('44465007', 'Sprain of ankle', undefined, 'naproxen')],
  [4, acute('840539006', 'Disease caused by severe acute respiratory syndrome coronavirus 2', 'U07.1', '')],
]

const SEVERITIES = [
  { coding: [{ system: SNOMED, code: '255604002', display: 'Mild' }] },
  { coding: [{ system: SNOMED, code: '6736007', display: 'Moderate' }] },
  { coding: [{ system: SNOMED, code: '24484000', display: 'Severe' }] },
]

/** A disease the patient may have at the time, and does not have already. */
export function newDisease(subject: Subject, visit: Visit, known: ReadonlySet<Disease>): Disease | undefined {
  const disease = subject.dice.weighted(DISEASES)
  const possible = subject.ageAt(visit.start) >= disease.fromAge && !known.has(disease)
  return possible ? disease : undefined
}

export function condition(subject: Subject, visit: Visit, disease: Disease): Condition {
  const { dice, practice } = subject
  const noticed = visit.start - dice.below(disease.chronic ? 400 : 10) * DAY
  const onset = Math.max(noticed, subject.born)
  const over = !disease.chronic && dice.chance(90)
  return {
    resourceType: 'Condition',
    id: subject.nextId('condition'),
    meta: subject.stamp(),
    ...(dice.chance(50) && {
      text: narrative(
        `<p>${escapeMarkup(disease.name)} of ${escapeMarkup(subject.person.fullName)}</p><p>${escapeMarkup(story(subject))}</p>`,
      ),
    }),
    clinicalStatus: over
      ? hl7Concept('condition-clinical', 'resolved', 'Resolved')
      : hl7Concept('condition-clinical', 'active', 'Active'),
    verificationStatus: hl7Concept('condition-ver-status', 'confirmed', 'Confirmed'),
    category: [
      disease.chronic
        ? hl7Concept('condition-category', 'problem-list-item', 'Problem List Item')
        : hl7Concept('condition-category', 'encounter-diagnosis', 'Encounter Diagnosis'),
    ],
    ...(dice.chance(50) && { severity: dice.pick(SEVERITIES) }),
    code: disease.code,
    subject: subject.reference,
    encounter: visit.reference,
    ...onsetOf(subject, onset),
    ...(over && { abatementDateTime: date(visit.end + dice.between(3, 30) * DAY) }),
    recordedDate: dateTime(visit.end, practice.zone),
    recorder: visit.doctor,
    asserter: dice.chance(30) ? subject.reference : visit.doctor,
    ...(dice.chance(40) && { note: [note(subject, visit.end)] }),
  }
}

export function conditionReference(condition: Condition): Reference {
  return { reference: `Condition/${condition.id}`, display: condition.code?.text ?? '' }
}

/** What people remember differs: a day, a month, an age, or a story. */
function onsetOf(subject: Subject, moment: number): Partial<Condition> {
  const { dice } = subject
  const years = subject.ageAt(moment)
  if (dice.chance(15) && years > 0) {
    return { onsetAge: { value: years, unit: 'a', system: 'http://unitsofmeasure.org', code: 'a' } }
  }
  if (dice.chance(10)) return { onsetString: 'a while ago, "about when the clocks changed"' }
  const precision = dice.pick([10, 10, 10, 7, 4])
  return { onsetDateTime: date(moment).slice(0, precision) }
}

function chronic(snomed: string, name: string, icd: string, fromAge: number, drugs: string): Disease {
  return { name, code: code(snomed, name, icd), chronic: true, fromAge, drugs: words(drugs) }
}

function acute(snomed: string, name: string, icd: string | undefined, drugs: string): Disease {
  return { name, code: code(snomed, name, icd), chronic: false, fromAge: 0, drugs: words(drugs) }
}

function code(snomed: string, name: string, icd: string | undefined): CodeableConcept {
  const coding = [{ system: SNOMED, code: snomed, display: name }]
  if (icd !== undefined) coding.push({ system: ICD_10_CM, code: icd, display: name })
  return { coding, text: name }
}

function words(text: string): readonly string[] {
  return text === '' ? [] : text.split(' ')
}
