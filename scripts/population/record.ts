import type { Condition, FhirResource, MedicationRequest, Procedure } from 'fhir/r4.js'
import { allergyIntolerance } from './allergy-intolerance.js'
import { carePlan } from './care-plan.js'
import { claim } from './claim.js'
import { condition, type Disease, newDisease } from './condition.js'
import { encounter, type Visit, visit } from './encounter.js'
import { explanationOfBenefit } from './explanation-of-benefit.js'
import { immunization } from './immunization.js'
import { answer, relativesObservation } from './interview.js'
import { laboratoryPanel, singleTest } from './laboratory.js'
import { prescription } from './medication-request.js'
import { coverage, insurerOf, patient } from './patient.js'
import type { Insurer } from './practice.js'
import { procedure } from './procedure.js'
import type { Subject } from './subject.js'
import { vitalSigns } from './vital-signs.js'

/** How many visits patients have: most a few, some very many. */
const VISITS: readonly (readonly [weight: number, visits: number])[] = [
  [170, 1],
  [160, 2],
  [150, 3],
  [130, 4],
  [105, 5],
  [85, 6],
  [65, 7],
  [45, 8],
  [40, 10],
  [25, 12],
  [15, 15],
  [7, 20],
  [3, 26],
]

/** All resources of one patient; the Patient comes first. */
export function* record(subject: Subject): Generator<FhirResource> {
  const { dice, relative } = subject
  const starts = Array.from({ length: dice.weighted(VISITS) }, () => subject.someMoment()).sort(
    (a, b) => a - b,
  )
  const visits = starts.map((start) => visit(subject, start))
  const insurer = insurerOf(subject)
  yield patient(subject, visits.at(-1)?.end ?? subject.born)
  yield coverage(subject, insurer)
  const known = new Set<Disease>()
  for (const visit of visits) yield* visitRecord(subject, visit, insurer, known)
  if (dice.chance(20))
    yield allergyIntolerance(subject, dice.chance(40) ? subject.reference : subject.practice.someone(dice))
  const [firstVisit] = visits
  if (relative && firstVisit) {
    yield allergyIntolerance(subject, relative)
    yield relativesObservation(subject, firstVisit, relative)
  }
}

/** What one visit leaves behind. `known` holds the diseases that stay, and grows. */
function* visitRecord(
  subject: Subject,
  visit: Visit,
  insurer: Insurer,
  known: Set<Disease>,
): Generator<FhirResource> {
  const { dice } = subject
  const conditions: Condition[] = []
  const procedures: Procedure[] = []
  const prescriptions: MedicationRequest[] = []
  const disease = dice.chance(52) ? newDisease(subject, visit, known) : undefined
  if (disease) {
    const found = condition(subject, visit, disease)
    conditions.push(found)
    const ordered = prescription(subject, visit, disease, found)
    if (ordered) prescriptions.push(ordered)
    if (disease.chronic) {
      known.add(disease)
      if (dice.chance(50)) yield carePlan(subject, visit, found)
    }
  }
  if (dice.chance(30)) procedures.push(procedure(subject, visit, conditions[0]))
  yield encounter(subject, visit, conditions)
  yield* conditions
  yield* procedures
  yield* prescriptions
  yield* vitalSigns(subject, visit)
  if (dice.chance(22)) yield* laboratoryPanel(subject, visit)
  if (dice.chance(16)) yield singleTest(subject, visit)
  if (dice.chance(50)) yield answer(subject, visit)
  if (dice.chance(20)) yield immunization(subject, visit)
  const bills = [
    { visit, insurer, conditions, procedures },
    ...prescriptions.map((prescription) => ({ visit, insurer, conditions, procedures: [], prescription })),
  ]
  for (const bill of bills) {
    if (!dice.chance(90)) continue
    const asked = claim(subject, bill)
    yield asked
    if (dice.chance(92)) yield explanationOfBenefit(subject, visit, asked)
  }
}
