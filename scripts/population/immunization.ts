import type { Immunization } from 'fhir/r4.js'
import { DAY, date, dateTime } from './calendar.js'
import type { Visit } from './encounter.js'
import type { Subject } from './subject.js'
import { CVX, concept, hl7Concept, quantity } from './terminology.js'

const INFLUENZA = concept(CVX, '140', 'Influenza, seasonal, injectable, preservative free')

const CHILDREN = [
  INFLUENZA,
  concept(CVX, '08', 'Hep B, adolescent or pediatric'),
  concept(CVX, '20', 'DTaP'),
  concept(CVX, '10', 'IPV'),
  concept(CVX, '03', 'MMR'),
  concept(CVX, '21', 'varicella'),
  concept(CVX, '133', 'Pneumococcal conjugate PCV 13'),
]

const ADULTS = [
  INFLUENZA,
  INFLUENZA,
  concept(CVX, '115', 'Tdap'),
  concept(CVX, '52', 'Hep A, adult'),
  concept(CVX, '33', 'pneumococcal polysaccharide PPV23'),
  concept(CVX, '187', 'zoster recombinant'),
]

const COVID_19 = concept(CVX, '208', 'COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose')
const COVID_19_START = Date.UTC(2021, 0, 1)

/** A vaccine of its time and for the age, given or refused during a visit. */
export function immunization(subject: Subject, visit: Visit): Immunization {
  const { dice, practice } = subject
  const grownUp = subject.ageAt(visit.start) >= 18
  const covid19 = grownUp && visit.start >= COVID_19_START && dice.chance(40)
  const refused = dice.chance(5)
  return {
    resourceType: 'Immunization',
    id: subject.nextId('immunization'),
    meta: subject.stamp(),
    status: refused ? 'not-done' : 'completed',
    ...(refused && { statusReason: hl7Concept('v3-ActReason', 'PATOBJ', 'patient objection') }),
    vaccineCode: covid19 ? COVID_19 : dice.pick(grownUp ? ADULTS : CHILDREN),
    patient: subject.reference,
    encounter: visit.reference,
    occurrenceDateTime: dateTime(visit.start, practice.zone),
    recorded: dateTime(visit.end, practice.zone),
    primarySource: true,
    ...(!refused && {
      lotNumber: dice.digits('LOT-####-A#'),
      expirationDate: date(visit.start + dice.between(30, 500) * DAY),
      site: hl7Concept('v3-ActSite', 'LA', 'left arm'),
      route: hl7Concept('v3-RouteOfAdministration', 'IM', 'Injection, intramuscular'),
      doseQuantity: quantity(covid19 ? 0.3 : 0.5, 'mL'),
      performer: [{ function: hl7Concept('v2-0443', 'AP', 'Administering Provider'), actor: visit.doctor }],
      protocolApplied: [{ doseNumberPositiveInt: dice.between(1, 3) }],
    }),
  }
}
