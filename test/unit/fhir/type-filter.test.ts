import { expect } from 'chai'
import { ExportError } from '../../../plugin/errors.js'
import { Findings } from '../../../plugin/fhir/findings.js'
import { parseTypeFilters } from '../../../plugin/fhir/type-filter.js'

function parse(values: readonly string[], lenient = false) {
  const findings = new Findings(lenient)
  const check = (type: string, params: URLSearchParams) =>
    [...params.keys()].includes('bad') ? `bad is no parameter of ${type}` : undefined
  const filters = parseTypeFilters(values, { types: ['Patient', 'Observation'], check, findings })
  findings.throwFaults()
  return filters.map(({ type, query }) => [type, ...new URLSearchParams(query)])
}

describe('parseTypeFilters', () => {
  const forms: readonly (readonly [value: string, expected: unknown])[] = [
    ['Patient?gender=male', [['Patient', ['gender', 'male']]]],
    ['Observation?code=a,b', [['Observation', ['code', 'a,b']]]],
    [
      'Observation?code=a,b,Patient?x=1',
      [
        ['Observation', ['code', 'a,b']],
        ['Patient', ['x', '1']],
      ],
    ],
    ['Observation?code=http://loinc.org|1-8', [['Observation', ['code', 'http://loinc.org|1-8']]]],
    ['Observation?code=a%2Cb%26c%3Dd', [['Observation', ['code', 'a,b&c=d']]]],
    ['Observation?value=a=b', [['Observation', ['value', 'a=b']]]],
    [
      'Observation?date=ge2020-01-01T00:00:00+01:00',
      [['Observation', ['date', 'ge2020-01-01T00:00:00+01:00']]],
    ],
    ['Observation?x=100%', [['Observation', ['x', '100%']]]],
    ['Observation?a=1&b:exact=2', [['Observation', ['a', '1'], ['b:exact', '2']]]],
    [' Patient?gender=male , Patient?gender=male', [['Patient', ['gender', 'male']]]],
  ]
  for (const [value, expected] of forms) {
    it(`reads ${value} [QP-40]`, () => {
      expect(parse([value])).to.deep.equal(expected)
    })
  }

  it('reads one query once, however often it comes', () => {
    expect(parse(['Patient?x=1', 'Patient?x=1,Patient?x=1'])).to.have.lengthOf(1)
  })

  const wrong = [
    '',
    'Patient',
    'Patient?',
    '?x=1',
    'patient?x=1',
    'Encounter?x=1',
    'Patient?bad=1',
    'Patient?_count=1',
  ]
  for (const value of [...wrong, 'Patient?_include:iterate=x', 'Patient?_has:Observation:patient:code=1']) {
    it(`refuses ${JSON.stringify(value)}, and leaves all of it out when lenient [QP-46${/^[A-Z]\w+[?]/.test(value) ? '' : ' QP-45'}]`, () => {
      expect(() => parse(['Patient?x=1', value])).to.throw(ExportError, '_typeFilter')
      expect(parse(['Patient?x=1', value], true)).to.deep.equal([['Patient', ['x', '1']]])
    })
  }
})
