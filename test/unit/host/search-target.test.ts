import { expect } from 'chai'
import { ChoiceTypes } from 'fhir-spec-tools'
import { hostTypes, schemaOf, searchParameters } from '../../../scripts/host/core.js'
import { choiceOf, elementsOf } from '../../../scripts/host/element.js'
import { pathOf } from '../../../scripts/host/element-filter.js'
import { targetsOf } from '../../../scripts/host/search-target.js'

function targetsBy(type: string, name: string) {
  const parameter = searchParameters(type).find((each) => each.name === name)
  if (parameter === undefined) throw new Error(`${type} has no ${name}`)
  return targetsOf(schemaOf(type), parameter)
}

describe('targetsOf', () => {
  const expected: Record<string, Record<string, string>> = {
    'Observation date': {
      effectiveDateTime: 'dateTime',
      effectivePeriod: 'Period',
      effectiveTiming: 'Timing',
      effectiveInstant: 'instant',
    },
    'Observation value-string': { valueCodeableConcept: 'CodeableConcept', valueString: 'string' },
    'Observation value-quantity': { valueQuantity: 'Quantity' },
    'Condition onset-date': { onsetDateTime: 'dateTime', onsetPeriod: 'Period' },
    'Condition onset-age': { onsetAge: 'Age' },
    'Condition recorded-date': { recordedDate: 'primitive' },
    'Consent source-reference': { sourceReference: 'Reference' },
    'Encounter reason-reference': { reasonReference: 'Reference' },
    'Patient email': { telecom: 'ContactPoint' },
    'Patient _id': { _id: 'primitive' },
    'Library composed-of': { 'relatedArtifact.resource': 'primitive' },
    'Encounter length': { length: 'Duration' },
    // What no search can look at: text in a backbone element, a part of another resource, no path at all.
    'Device device-name': {},
    'Bundle composition': {},
    'Observation code-value-date': {},
    'Location near': {},
    'Patient _content': {},
    // Paths of the core that lead nowhere.
    'StructureDefinition base-path': {},
    'ConceptMap product': {},
  }
  for (const [parameter, targets] of Object.entries(expected)) {
    it(parameter, () => {
      const [type = '', name = ''] = parameter.split(' ')
      const found = targetsBy(type, name).map(({ steps, kind }) => [pathOf(steps), kind])
      expect(Object.fromEntries(found)).to.deep.equal(targets)
    })
  }

  it('knows which entries of a list count', () => {
    expect(targetsBy('Patient', 'email')[0]?.steps).to.deep.equal([
      { name: 'telecom', isArray: true, where: { name: 'system', value: 'email' } },
    ])
  })

  it('finds something to look at for all parameters that have a path, but for few', () => {
    const lost = hostTypes().flatMap((type) =>
      searchParameters(type)
        .filter(({ xpath, type: kind }) => xpath && kind !== 'special')
        .filter((parameter) => targetsOf(schemaOf(type), parameter).length === 0)
        .map(({ name }) => `${type} ${name}`),
    )
    expect(lost).to.have.members([
      'Bundle composition',
      'Bundle message',
      'ConceptMap product',
      'Device device-name',
      'Device udi-carrier',
      'Device udi-di',
      'StructureDefinition base-path',
      'StructureDefinition ext-context',
      'StructureDefinition valueset',
      'SubstanceSpecification code',
    ])
  })
})

describe('choiceOf', () => {
  // The schema classes do not say what is a choice: this compares what their names tell with the definitions.
  it('finds the choices of R4 at the top of each type', () => {
    const choices: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> =
      ChoiceTypes.choiceTypes
    let compared = 0
    for (const type of hostTypes()) {
      const elements = elementsOf(schemaOf(type))
      for (const [choice, dataTypes] of Object.entries(choices[type] ?? {})) {
        const stem = choice.replace('[x]', '')
        const names = dataTypes.map((dataType) => stem + dataType.charAt(0).toUpperCase() + dataType.slice(1))
        if (names.length < 2) continue
        const element = elements.get(names[0] as string)
        expect(element, `${type}.${names[0]}`).to.not.equal(undefined)
        const forms = choiceOf(schemaOf(type), element as never)
        expect(
          forms.map((form) => form.element.name),
          `${type}.${choice}`,
        ).to.have.members(names)
        expect(
          forms.map((form) => form.dataType),
          `${type}.${choice}`,
        ).to.have.members([...dataTypes])
        compared++
      }
    }
    expect(compared).to.be.greaterThan(50)
  })

  it('takes no two elements for one choice that parameters search by', () => {
    const choices: Readonly<Record<string, object>> = ChoiceTypes.choiceTypes
    for (const type of hostTypes()) {
      for (const parameter of searchParameters(type)) {
        const targets = targetsOf(schemaOf(type), parameter)
        if (targets.length < 2 || targets.some(({ steps }) => steps.length > 1)) continue
        const names = targets.map(({ steps }) => pathOf(steps))
        const stems = Object.keys(choices[type] ?? {}).map((choice) => choice.replace('[x]', ''))
        const ofOneChoice = stems.some((stem) => names.every((name) => name.startsWith(stem)))
        expect(ofOneChoice, `${type} ${parameter.name}: ${names}`).to.equal(true)
      }
    }
  })
})
