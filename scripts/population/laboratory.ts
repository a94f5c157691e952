import type { CodeableConcept, DiagnosticReport, Observation } from 'fhir/r4.js'
import { dateTime, instant } from './calendar.js'
import { soonAfter, type Visit } from './encounter.js'
import { escapeMarkup, narrative } from './narrative.js'
import { remark } from './notes.js'
import { type Finding, interpret, observation, observationReference } from './observation.js'
import type { Subject } from './subject.js'
import { concept, hl7Concept, LOINC, quantity, SNOMED } from './terminology.js'

interface Test {
  readonly code: CodeableConcept
  readonly unit: string
  /** Values come in steps of `1 / scale`; the limits are counted in these steps. */
  readonly scale: number
  readonly low: number
  readonly high: number
}

interface Panel {
  readonly code: CodeableConcept
  readonly tests: readonly Test[]
}

const PANELS: readonly Panel[] = [
  {
    code: concept(LOINC, '51990-0', 'Basic metabolic panel - Blood'),
    tests: [
      test('2339-0', 'Glucose [Mass/volume] in Blood', 'mg/dL', 1, 70, 99),
      test('3094-0', 'Urea nitrogen [Mass/volume] in Serum or Plasma', 'mg/dL', 1, 7, 20),
      test('2160-0', 'Creatinine [Mass/volume] in Serum or Plasma', 'mg/dL', 100, 59, 135),
      test('2951-2', 'Sodium [Moles/volume] in Serum or Plasma', 'mmol/L', 1, 135, 145),
      test('2823-3', 'Potassium [Moles/volume] in Serum or Plasma', 'mmol/L', 10, 35, 52),
      test('17861-6', 'Calcium [Mass/volume] in Serum or Plasma', 'mg/dL', 10, 85, 105),
    ],
  },
  {
    code: concept(LOINC, '58410-2', 'CBC panel - Blood by Automated count'),
    tests: [
      test('718-7', 'Hemoglobin [Mass/volume] in Blood', 'g/dL', 10, 121, 172),
      test('6690-2', 'Leukocytes [#/volume] in Blood by Automated count', '10*3/uL', 10, 45, 110),
      test('789-8', 'Erythrocytes [#/volume] in Blood by Automated count', '10*6/uL', 100, 390, 570),
      test('777-3', 'Platelets [#/volume] in Blood by Automated count', '10*3/uL', 1, 150, 450),
      test('4544-3', 'Hematocrit [Volume Fraction] of Blood by Automated count', '%', 10, 355, 486),
    ],
  },
  {
    code: concept(LOINC, '24331-1', 'Lipid 1996 panel - Serum or Plasma'),
    tests: [
      test('2093-3', 'Cholesterol [Mass/volume] in Serum or Plasma', 'mg/dL', 1, 100, 200),
      test('2085-9', 'Cholesterol in HDL [Mass/volume] in Serum or Plasma', 'mg/dL', 1, 40, 80),
      test(
        '13457-7',
        'Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation',
        'mg/dL',
        1,
        40,
        130,
      ),
      test('2571-8', 'Triglyceride [Mass/volume] in Serum or Plasma', 'mg/dL', 1, 40, 150),
    ],
  },
  {
    code: concept(LOINC, '4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood'),
    tests: [test('4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood', '%', 10, 40, 56)],
  },
]

const ABO_GROUPS = [
  concept(SNOMED, '112144000', 'Blood group A'),
  concept(SNOMED, '112149005', 'Blood group B'),
  concept(SNOMED, '165743006', 'Blood group AB'),
  concept(SNOMED, '58460004', 'Blood group O'),
]

const URINE_COLORS = ['Yellow', 'Straw', 'Amber, "dark"', 'Brown/red', 'Clear']

/** A panel of tests: its observations and the report that refers to them. */
export function* laboratoryPanel(subject: Subject, visit: Visit): Generator<Observation | DiagnosticReport> {
  const panel = subject.dice.pick(PANELS)
  const results = panel.tests.map((test) =>
    observation(subject, visit, 'laboratory', measured(subject, test)),
  )
  yield* results
  yield report(subject, visit, panel.code, results)
}

/** A single test whose result is not a plain number. */
export function singleTest(subject: Subject, visit: Visit): Observation {
  return observation(subject, visit, 'laboratory', otherResult(subject))
}

function measured({ dice }: Subject, { code, unit, scale, low, high }: Test): Finding {
  if (dice.chance(2)) {
    return { code, dataAbsentReason: hl7Concept('data-absent-reason', 'not-performed', 'Not Performed') }
  }
  const width = high - low
  const value = dice.chance(75)
    ? dice.between(low, high)
    : dice.between(Math.max(1, low - width), high + width)
  return {
    code,
    valueQuantity: quantity(value / scale, unit),
    interpretation: interpret(value, low, high),
    referenceRange: [{ low: quantity(low / scale, unit), high: quantity(high / scale, unit) }],
  }
}

function otherResult({ dice }: Subject): Finding {
  switch (dice.below(4)) {
    case 0:
      return {
        code: concept(LOINC, '883-9', 'ABO group [Type] in Blood'),
        valueCodeableConcept: dice.pick(ABO_GROUPS),
      }
    case 1:
      return { code: concept(LOINC, '5778-6', 'Color of Urine'), valueString: dice.pick(URINE_COLORS) }
    case 2: {
      const low = dice.pick([0, 5, 10, 25])
      const valueRange = { low: { value: low }, high: { value: low + 5 } }
      const name = 'Leukocytes [#/area] in Urine sediment by Microscopy high power field'
      return { code: concept(LOINC, '5821-4', name), valueRange }
    }
    default: {
      const denominator = { value: dice.pick([40, 80, 160, 320, 640]) }
      return {
        code: concept(LOINC, '5048-4', 'Nuclear Ab [Titer] in Serum by Immunofluorescence'),
        valueRatio: { numerator: { value: 1 }, denominator },
      }
    }
  }
}

function report(
  subject: Subject,
  visit: Visit,
  code: CodeableConcept,
  results: readonly Observation[],
): DiagnosticReport {
  const { dice, practice } = subject
  const rows = results.map(({ code, valueQuantity }) => {
    const value = valueQuantity ? `${valueQuantity.value} ${escapeMarkup(valueQuantity.unit ?? '')}` : '—'
    return `<tr><td>${escapeMarkup(code.text ?? '')}</td><td>${value}</td></tr>`
  })
  const printed = `${code.text}\n${subject.person.fullName}\n${dateTime(visit.start, practice.zone)}\n`
  return {
    resourceType: 'DiagnosticReport',
    id: subject.nextId('report'),
    meta: subject.stamp(),
    text: narrative(`<table><tbody>${rows.join('')}</tbody></table>`),
    status: 'final',
    category: [hl7Concept('v2-0074', 'LAB', 'Laboratory')],
    code,
    subject: subject.reference,
    encounter: visit.reference,
    effectiveDateTime: dateTime(visit.start, practice.zone),
    issued: instant(soonAfter(subject, visit, 5)),
    performer: [practice.reference],
    resultsInterpreter: [visit.doctor],
    result: results.map(observationReference),
    ...(dice.chance(40) && { conclusion: remark(subject) }),
    ...(dice.chance(20) && {
      presentedForm: [
        {
          contentType: 'text/plain; charset=utf-8',
          data: Buffer.from(printed).toString('base64'),
          title: `${code.text}.txt`,
        },
      ],
    }),
  }
}

function test(code: string, name: string, unit: string, scale: number, low: number, high: number): Test {
  return { code: concept(LOINC, code, name), unit, scale, low, high }
}
