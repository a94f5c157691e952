import { expect } from 'chai'
import { ChoiceTypes, MandatoryElements, PropertyPaths } from 'fhir-spec-tools'
import { parseElements, withElements } from '../../../plugin/fhir/elements.js'
import { Findings } from '../../../plugin/fhir/findings.js'
import { mandatoryElements } from '../../../plugin/fhir/mandatory-elements.js'
import { elementsOf } from '../../../plugin/search/core.js'

type Table = Readonly<Record<string, readonly string[]>>
const [mandatory, properties] = [MandatoryElements, PropertyPaths].map(
  (table) => Object.values(table)[0] as Table,
)
const choices = Object.values(ChoiceTypes)[0] as Readonly<Record<string, Readonly<Record<string, unknown>>>>

describe('mandatoryElements', () => {
  it('are those of the published definitions, for every type [QP-51]', () => {
    for (const [type, elements] of Object.entries(mandatory as Table)) {
      const expected = elements.map((element) => element.replace('[x]', ''))
      expect([...mandatoryElements(type, '4_0_0')].sort(), type).to.deep.equal(expected.sort())
    }
  })
})

describe('parseElements', () => {
  const parse = (values: readonly string[], lenient = false) => {
    const findings = new Findings(lenient)
    const types = ['Patient', 'Observation']
    const elements = parseElements(values, {
      types,
      elementsOf: (type) => elementsOf(type, '4_0_0'),
      findings,
    })
    findings.throwFaults()
    return elements
  }

  it('takes every root element of the published definitions, choices by both of their names', () => {
    for (const type of ['Patient', 'Observation']) {
      const names = [...((properties as Table)[type] ?? []), ...Object.keys(choices[type] ?? {})]
      for (const name of names) expect(parse([`${type}.${name}`]), name).to.have.property(type)
    }
  })

  it('applies a bare name to all types, and a comma list as repetition [QP-01 QP-50]', () => {
    expect(parse(['id, Patient.name', 'status'])).to.deep.equal({
      Patient: ['id', 'name', 'status'],
      Observation: ['id', 'status'],
    })
  })

  it('is nothing when nothing is named', () => {
    expect(parse([])).to.equal(undefined)
    expect(parse(['', ' , '])).to.equal(undefined)
  })

  for (const value of [
    'Patient.nothing',
    'nothing',
    'Encounter.id',
    'Patient.name.given',
    'Patient',
    '__proto__',
    'Patient.',
  ]) {
    it(`refuses ${value}, and leaves it out when lenient [QP-53]`, () => {
      expect(() => parse([value])).to.throw('_elements')
      expect(parse([value, 'id'], true)).to.deep.equal({ Patient: ['id'], Observation: ['id'] })
    })
  }
})

describe('withElements', () => {
  it('leaves the resource as it is and keeps the tags that are there [QP-52]', () => {
    const tag = [
      { system: 'a', code: 'b' },
      { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' },
    ]
    const resource = {
      resourceType: 'Patient',
      id: 'p',
      meta: { lastUpdated: 'x', tag },
      name: [],
      _birthDate: {},
      active: true,
    }
    const before = structuredClone(resource)
    expect(withElements(resource, ['birthDate'], '4_0_0')).to.deep.equal({
      ...{ resourceType: 'Patient', id: 'p', meta: { lastUpdated: 'x', tag }, _birthDate: {} },
    })
    expect(resource).to.deep.equal(before)
  })
})
