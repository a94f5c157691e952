import type { Observation } from 'fhir/r4.js'
import type { Visit } from './encounter.js'
import { type Finding, interpret, observation } from './observation.js'
import type { Subject } from './subject.js'
import { concept, hl7Concept, LOINC, quantity } from './terminology.js'

const BLOOD_PRESSURE = concept(LOINC, '85354-9', 'Blood pressure panel with all children optional')
const SYSTOLIC = concept(LOINC, '8480-6', 'Systolic blood pressure')
const DIASTOLIC = concept(LOINC, '8462-4', 'Diastolic blood pressure')
const ELECTROCARDIOGRAM = {
  coding: [{ system: 'urn:oid:2.16.840.1.113883.6.24', code: '131328', display: 'MDC_ECG_ELEC_POTL' }],
  text: 'Electrocardiogram',
}
const LEAD_ONE = {
  coding: [{ system: 'urn:oid:2.16.840.1.113883.6.24', code: '131329', display: 'MDC_ECG_ELEC_POTL_I' }],
  text: 'Lead I',
}

/** What is measured, in steps of `1 / scale`, with the normal range inside what occurs. */
const MEASURES = [
  measure('8867-4', 'Heart rate', '/min', 1, [42, 60, 100, 160]),
  measure('9279-1', 'Respiratory rate', '/min', 1, [9, 12, 20, 32]),
  measure('8310-5', 'Body temperature', 'Cel', 10, [350, 361, 375, 409]),
  measure('29463-7', 'Body weight', 'kg', 10, [320, 450, 1100, 1680]),
  measure('8302-2', 'Body height', 'cm', 10, [1210, 1400, 2000, 2140]),
  measure('39156-5', 'Body mass index (BMI) [Ratio]', 'kg/m2', 100, [1480, 1850, 2500, 4625]),
  measure('59408-5', 'Oxygen saturation in Arterial blood by Pulse oximetry', '%', 1, [84, 95, 100, 100]),
]

export function* vitalSigns(subject: Subject, visit: Visit): Generator<Observation> {
  const { dice } = subject
  if (dice.chance(80)) yield observation(subject, visit, 'vital-signs', bloodPressure(subject))
  for (const { code, unit, scale, range } of dice.sample(MEASURES, dice.between(0, 3))) {
    const [lowest, low, high, highest] = range
    const value = dice.chance(80) ? dice.between(low, high) : dice.between(lowest, highest)
    yield observation(subject, visit, 'vital-signs', {
      code,
      valueQuantity: quantity(value / scale, unit),
      ...(dice.chance(50) && { interpretation: interpret(value, low, high) }),
    })
  }
  if (dice.chance(2)) yield observation(subject, visit, 'exam', electrocardiogram(subject))
}

/** No value of its own: the values are in the components, and one of them may be missing for a reason. */
function bloodPressure({ dice }: Subject): Finding {
  const diastolic = dice.between(55, 105)
  return {
    code: BLOOD_PRESSURE,
    ...(dice.chance(30) && { bodySite: concept('http://snomed.info/sct', '368209003', 'Right upper arm') }),
    component: [
      { code: SYSTOLIC, valueQuantity: quantity(diastolic + dice.between(25, 70), 'mm[Hg]') },
      dice.chance(97)
        ? { code: DIASTOLIC, valueQuantity: quantity(diastolic, 'mm[Hg]') }
        : { code: DIASTOLIC, dataAbsentReason: hl7Concept('data-absent-reason', 'error', 'Error') },
    ],
  }
}

function electrocardiogram({ dice }: Subject): Finding {
  const samples: number[] = []
  for (let index = 0; index < 120; index++) samples.push(2_030 + dice.below(60))
  return {
    code: ELECTROCARDIOGRAM,
    component: [
      {
        code: LEAD_ONE,
        valueSampledData: {
          origin: { value: 2048 },
          period: 10,
          factor: 1.612,
          lowerLimit: -3300,
          upperLimit: 3300,
          dimensions: 1,
          data: samples.join(' '),
        },
      },
    ],
  }
}

function measure(
  code: string,
  name: string,
  unit: string,
  scale: number,
  range: readonly [lowest: number, low: number, high: number, highest: number],
) {
  return { code: concept(LOINC, code, name), unit, scale, range }
}
