import type { Organization, Practitioner, Reference } from 'fhir/r4.js'
import { HISTORY, instant, momentBetween, UPDATES } from './calendar.js'
import { Dice } from './dice.js'
import { address, person, telephone } from './person.js'
import { concept, hl7, hl7Concept, SNOMED } from './terminology.js'

/** How many patients in a row belong to one practice. */
export const PATIENTS_PER_PRACTICE = 40

const SPECIALTIES = [
  concept(SNOMED, '394814009', 'General practice'),
  concept(SNOMED, '394579002', 'Cardiology'),
  concept(SNOMED, '394583002', 'Endocrinology'),
  concept(SNOMED, '394537008', 'Pediatric specialty'),
]

const NETWORK = 'Organization/network'

/** Pays claims. Every population has all of them. */
export interface Insurer {
  readonly reference: Reference
  readonly plan: string
}

export const INSURERS: readonly Insurer[] = [
  { reference: { reference: 'Organization/insurer-1', display: 'Blue Harbor Mutual' }, plan: 'Harbor Basic' },
  {
    reference: { reference: 'Organization/insurer-2', display: 'Santé & Cie "Les Pins"' },
    plan: 'Formule Été',
  },
  { reference: { reference: 'Organization/insurer-3', display: '健康保険組合' }, plan: 'プランA' },
]

/** A group practice: one Organization of the network with the people who work there. */
export class Practice {
  readonly organization: Organization
  readonly practitioners: readonly Practitioner[]
  readonly reference: Reference
  /** Minutes ahead of UTC. */
  readonly zone: number
  readonly #staff: readonly Reference[]

  constructor(seed: string, number: number) {
    const dice = new Dice(`${seed}/practice/${number}`)
    const founder = person(dice)
    this.zone = founder.culture.zone
    const name = `${founder.name.family} Family Practice`
    this.organization = {
      resourceType: 'Organization',
      id: `practice-${number}`,
      meta: stamp(dice),
      identifier: [
        { system: 'http://example.org/fhir/NamingSystem/practice', value: dice.digits('P-######') },
      ],
      active: true,
      type: [hl7Concept('organization-type', 'prov', 'Healthcare Provider')],
      name,
      alias: [`Practice № ${number}`],
      telecom: [telephone(dice, founder.culture, 'work')],
      address: [{ ...address(dice, founder.culture), use: 'work' }],
      partOf: { reference: NETWORK, display: 'Example Health Network' },
    }
    this.reference = { reference: `Organization/practice-${number}`, display: name }
    this.practitioners = SPECIALTIES.map((_, index) =>
      practitioner(dice, `practice-${number}-doctor-${index + 1}`),
    )
    this.#staff = this.practitioners.map((doctor) => ({
      reference: `Practitioner/${doctor.id}`,
      display: doctor.name?.[0]?.text ?? '',
    }))
  }

  /** One of the people who work here. */
  someone(dice: Dice): Reference {
    return dice.pick(this.#staff)
  }
}

/** The organizations that exist once: the network all practices are part of, and the insurers. */
export function* sharedOrganizations(seed: string): Generator<Organization> {
  const dice = new Dice(`${seed}/organizations`)
  yield {
    resourceType: 'Organization',
    id: 'network',
    meta: stamp(dice),
    active: true,
    type: [hl7Concept('organization-type', 'prov', 'Healthcare Provider')],
    name: 'Example Health Network',
  }
  for (const { reference } of INSURERS) {
    yield {
      resourceType: 'Organization',
      id: String(reference.reference).slice('Organization/'.length),
      meta: stamp(dice),
      active: true,
      type: [hl7Concept('organization-type', 'pay', 'Payer')],
      name: reference.display ?? '',
    }
  }
}

function stamp(dice: Dice): { versionId: string; lastUpdated: string } {
  const lastUpdated = instant(momentBetween(dice, UPDATES.start, UPDATES.end))
  return { versionId: String(dice.between(1, 5)), lastUpdated }
}

function practitioner(dice: Dice, id: string): Practitioner {
  const { culture, gender, name } = person(dice)
  return {
    resourceType: 'Practitioner',
    id,
    meta: stamp(dice),
    identifier: [{ system: 'http://example.org/fhir/NamingSystem/license', value: dice.digits('L########') }],
    active: true,
    name: [{ ...name, prefix: ['Dr.'] }],
    telecom: [telephone(dice, culture, 'work')],
    address: [{ ...address(dice, culture), use: 'work' }],
    gender,
    qualification: [
      {
        code: {
          coding: [{ system: hl7('v2-0360'), version: '2.7', code: 'MD', display: 'Doctor of Medicine' }],
        },
        period: { start: instant(HISTORY.start).slice(0, 4) },
      },
    ],
    communication: [
      { coding: [{ system: 'urn:ietf:bcp:47', code: culture.language }], text: culture.languageName },
    ],
  }
}
