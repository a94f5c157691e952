import type { Coverage, Patient } from 'fhir/r4.js'
import { date, dateTime, HISTORY, instant, momentBetween } from './calendar.js'
import { escapeMarkup, narrative } from './narrative.js'
import { address, person, telephone } from './person.js'
import { INSURERS, type Insurer } from './practice.js'
import type { Subject } from './subject.js'
import { coding, hl7, hl7Concept } from './terminology.js'

const MARITAL_STATUS = [
  hl7Concept('v3-MaritalStatus', 'M', 'Married'),
  hl7Concept('v3-MaritalStatus', 'S', 'Never Married'),
  hl7Concept('v3-MaritalStatus', 'D', 'Divorced'),
  hl7Concept('v3-MaritalStatus', 'W', 'Widowed'),
]

/** `lastSeen` is the end of the last visit: who has died has died after it. */
export function patient(subject: Subject, lastSeen: number): Patient {
  const { dice, person: self, practice } = subject
  const { culture } = self
  const adult = subject.ageAt(HISTORY.end) >= 18
  const home = address(dice, culture)
  const birthDate = date(subject.born)
  const names = [self.name]
  if (dice.chance(12)) names.push({ use: 'maiden', family: dice.pick(culture.families) })
  if (dice.chance(8)) names.push({ use: 'nickname', given: [`${self.name.given?.[0] ?? ''} ✨`] })
  return {
    resourceType: 'Patient',
    id: subject.id,
    meta: { ...subject.stamp(), security: [coding(hl7('v3-ActReason'), 'HTEST', 'test health data')] },
    text: narrative(`<p><b>${escapeMarkup(self.fullName)}</b>, ${self.gender}, born ${birthDate}</p>`),
    ...(dice.chance(20) && {
      extension: [
        {
          url: 'http://hl7.org/fhir/StructureDefinition/patient-birthPlace',
          valueAddress: { city: dice.pick(culture.cities), country: culture.country },
        },
      ],
    }),
    identifier: [
      {
        use: 'usual',
        type: hl7Concept('v2-0203', 'MR', 'Medical record number'),
        system: 'http://example.org/fhir/NamingSystem/medical-record',
        value: dice.digits('MR-########'),
        assigner: practice.reference,
      },
    ],
    active: !dice.chance(3),
    name: names,
    telecom: [
      telephone(dice, culture, 'mobile'),
      { system: 'email', value: `${subject.id}@example.org`, use: 'home', rank: 1 },
    ],
    gender: self.gender,
    birthDate,
    ...(dice.chance(10) && {
      _birthDate: {
        extension: [
          {
            url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime',
            valueDateTime: dateTime(subject.born + dice.below(1440) * 60_000, 0),
          },
        ],
      },
    }),
    ...death(subject, lastSeen),
    address: [home],
    ...(adult && { maritalStatus: dice.pick(MARITAL_STATUS) }),
    ...(dice.chance(4) && { multipleBirthInteger: dice.between(1, 3) }),
    ...(dice.chance(40) && {
      contact: [
        {
          relationship: [hl7Concept('v2-0131', 'C', 'Emergency Contact')],
          name: person(dice, culture).name,
          telecom: [telephone(dice, culture, 'home')],
          address: home,
        },
      ],
    }),
    communication: [
      {
        language: {
          coding: [{ system: 'urn:ietf:bcp:47', code: culture.language }],
          text: culture.languageName,
        },
        preferred: true,
      },
    ],
    generalPractitioner: [practice.someone(dice)],
    managingOrganization: practice.reference,
  }
}

/** Every patient has one; the relative, where there is one, holds the contract. */
export function coverage(subject: Subject, insurer: Insurer): Coverage {
  const { dice, relative } = subject
  const number = dice.digits('########')
  return {
    resourceType: 'Coverage',
    id: `${subject.id}-coverage`,
    meta: subject.stamp(),
    identifier: [{ system: 'http://example.org/fhir/NamingSystem/member', value: number }],
    status: 'active',
    type: hl7Concept('v3-ActCode', 'EHCPOL', 'extended healthcare'),
    subscriber: relative ?? subject.reference,
    subscriberId: number,
    beneficiary: subject.reference,
    relationship: relative
      ? hl7Concept('subscriber-relationship', 'other', 'Other')
      : hl7Concept('subscriber-relationship', 'self', 'Self'),
    period: { start: date(HISTORY.start) },
    payor: [insurer.reference],
    class: [{ type: hl7Concept('coverage-class', 'plan', 'Plan'), value: insurer.plan }],
  }
}

export function insurerOf(subject: Subject): Insurer {
  return subject.dice.pick(INSURERS)
}

function death(subject: Subject, lastSeen: number): Partial<Patient> {
  const { dice } = subject
  if (subject.ageAt(HISTORY.end) < 60 || !dice.chance(15))
    return dice.chance(30) ? { deceasedBoolean: false } : {}
  if (dice.chance(20)) return { deceasedBoolean: true }
  const moment = momentBetween(dice, Math.min(lastSeen, HISTORY.end - 1), HISTORY.end)
  return { deceasedDateTime: dice.chance(50) ? date(moment) : instant(moment) }
}
