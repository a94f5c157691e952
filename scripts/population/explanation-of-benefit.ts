import type { Claim, ExplanationOfBenefit, ExplanationOfBenefitItemAdjudication } from 'fhir/r4.js'
import { dateTime } from './calendar.js'
import { money } from './claim.js'
import { soonAfter, type Visit } from './encounter.js'
import { remark } from './notes.js'
import type { Subject } from './subject.js'
import { hl7Concept } from './terminology.js'

const PAID_IN_FULL = hl7Concept('ex-paymenttype', 'complete', 'Complete')

/** The insurer's answer to a claim: what it pays of each item. */
export function explanationOfBenefit(subject: Subject, visit: Visit, claim: Claim): ExplanationOfBenefit {
  const { dice, practice } = subject
  const decided = soonAfter(subject, visit, 30)
  const share = dice.pick([60, 80, 90, 100])
  const items = (claim.item ?? []).map((item) => {
    const cents = Math.round((item.net?.value ?? 0) * 100)
    return { item, cents, paid: Math.floor((cents * share) / 100) }
  })
  const asked = items.reduce((sum, { cents }) => sum + cents, 0)
  const paid = items.reduce((sum, item) => sum + item.paid, 0)
  return {
    resourceType: 'ExplanationOfBenefit',
    id: subject.nextId('benefit'),
    meta: subject.stamp(),
    identifier: [
      { system: 'http://example.org/fhir/NamingSystem/benefit', value: dice.digits('EOB-##########') },
    ],
    status: 'active',
    type: claim.type,
    use: 'claim',
    patient: claim.patient,
    ...(claim.billablePeriod && { billablePeriod: claim.billablePeriod }),
    created: dateTime(decided, practice.zone),
    insurer: claim.insurer ?? claim.provider,
    provider: claim.provider,
    claim: { reference: `Claim/${claim.id}` },
    outcome: 'complete',
    ...(dice.chance(15) && { disposition: remark(subject) }),
    careTeam: [{ sequence: 1, provider: visit.doctor, responsible: true }],
    ...(claim.diagnosis && { diagnosis: claim.diagnosis }),
    insurance: claim.insurance.map(({ focal, coverage }) => ({ focal, coverage })),
    item: items.map(({ item, cents, paid }) => ({
      sequence: item.sequence,
      productOrService: item.productOrService,
      servicedDate: item.servicedDate ?? '',
      ...(item.net && { net: item.net }),
      ...(item.encounter && { encounter: item.encounter }),
      adjudication: [
        adjudication('submitted', 'Submitted Amount', cents),
        adjudication('copay', 'CoPay', cents - paid),
        adjudication('benefit', 'Benefit Amount', paid),
      ],
    })),
    total: [
      { category: hl7Concept('adjudication', 'submitted', 'Submitted Amount'), amount: money(asked) },
      { category: hl7Concept('adjudication', 'benefit', 'Benefit Amount'), amount: money(paid) },
    ],
    payment: { type: PAID_IN_FULL, date: dateTime(decided, practice.zone).slice(0, 10), amount: money(paid) },
  }
}

function adjudication(code: string, display: string, cents: number): ExplanationOfBenefitItemAdjudication {
  return { category: hl7Concept('adjudication', code, display), amount: money(cents) }
}
