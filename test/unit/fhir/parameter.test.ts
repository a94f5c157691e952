import { expect } from 'chai'
import fc from 'fast-check'
import { ExportError } from '../../../plugin/errors.js'
import { bodyParameters, queryParameters } from '../../../plugin/fhir/parameter.js'

const parameters = (...parameter: readonly unknown[]) => ({ resourceType: 'Parameters', parameter })

function errorOf(run: () => unknown): ExportError {
  try {
    run()
  } catch (error) {
    if (error instanceof ExportError) return error
    throw error
  }
  throw new Error('It did not throw.')
}

describe('queryParameters', () => {
  const cases: readonly [string, readonly (readonly [string, string])[]][] = [
    ['', []],
    ['_type=Patient', [['_type', 'Patient']]],
    ['_type=Patient%2CObservation', [['_type', 'Patient,Observation']]],
    [
      '_type=A&_since=x&_type=B',
      [
        ['_type', 'A'],
        ['_since', 'x'],
        ['_type', 'B'],
      ],
    ],
    ['_since=2024-01-01T00:00:00%2B02:00', [['_since', '2024-01-01T00:00:00+02:00']]],
    ['_since', [['_since', '']]],
    ['constructor=1&__proto__=2', Object.entries({ constructor: '1', ['__proto__']: '2' })],
  ]
  for (const [query, expected] of cases) {
    it(`reads ${JSON.stringify(query)}`, () => {
      const found = queryParameters(new URLSearchParams(query))
      expect(found).to.deep.equal(expected.map(([name, value]) => ({ name, value })))
    })
  }
})

describe('bodyParameters [QP-03]', () => {
  /** Every value[x] of R4 that has one value that can be written in a URL. */
  const values: readonly [string, unknown, string][] = [
    ['valueBase64Binary', 'QQ==', 'QQ=='],
    ['valueBoolean', true, 'true'],
    ['valueBoolean', false, 'false'],
    ['valueCanonical', 'http://x.org|1', 'http://x.org|1'],
    ['valueCode', 'Patient', 'Patient'],
    ['valueDate', '2024-01-31', '2024-01-31'],
    ['valueDateTime', '2024-01-31T00:00:00Z', '2024-01-31T00:00:00Z'],
    ['valueDecimal', 1.5, '1.5'],
    ['valueId', 'a', 'a'],
    ['valueInstant', '2024-01-31T00:00:00.000+01:00', '2024-01-31T00:00:00.000+01:00'],
    ['valueInteger', 0, '0'],
    ['valueInteger', -7, '-7'],
    ['valueMarkdown', '*a*', '*a*'],
    ['valueOid', 'urn:oid:1.2', 'urn:oid:1.2'],
    ['valuePositiveInt', 3, '3'],
    ['valueString', 'Patient,Observation', 'Patient,Observation'],
    ['valueString', '', ''],
    ['valueTime', '10:00:00', '10:00:00'],
    ['valueUnsignedInt', 0, '0'],
    ['valueUri', 'urn:x', 'urn:x'],
    ['valueUrl', 'http://x.org', 'http://x.org'],
    [
      'valueUuid',
      'urn:uuid:9b0a4bd2-6a1c-4f0c-9d5f-3d0c6b1f1c57',
      'urn:uuid:9b0a4bd2-6a1c-4f0c-9d5f-3d0c6b1f1c57',
    ],
    ['valueReference', { reference: 'Patient/1' }, 'Patient/1'],
    ['valueReference', { reference: 'Patient/1', display: 'A' }, 'Patient/1'],
    ['valueCoding', { system: 'http://hl7.org/fhir/resource-types', code: 'Patient' }, 'Patient'],
  ]
  for (const [key, given, expected] of values) {
    it(`reads ${key} ${JSON.stringify(given)}`, () => {
      const found = bodyParameters(parameters({ name: 'x', [key]: given }))
      expect(found).to.deep.equal([{ name: 'x', value: expected }])
    })
  }

  it('keeps the order and what is repeated', () => {
    const body = parameters(
      { name: '_type', valueString: 'A' },
      { name: '_since', valueInstant: '2024-01-31T00:00:00Z' },
      { name: '_type', valueCode: 'B' },
    )
    expect(bodyParameters(body).map(({ name, value }) => `${name}=${value}`)).to.deep.equal([
      '_type=A',
      '_since=2024-01-31T00:00:00Z',
      '_type=B',
    ])
  })

  it('reads extensions beside a value', () => {
    const body = parameters({
      id: '1',
      extension: [],
      name: 'x',
      valueString: 'a',
      _valueString: { id: '2' },
    })
    expect(bodyParameters(body)).to.deep.equal([{ name: 'x', value: 'a' }])
  })

  for (const body of [{ resourceType: 'Parameters' }, parameters()]) {
    it(`finds none in ${JSON.stringify(body)}`, () => {
      expect(bodyParameters(body)).to.deep.equal([])
    })
  }

  it('says the same as a query string that is sent with the same parameters', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aZ_9 ,+&=%?#/|<>"\\\n\u00e4\u{1f600}') })
    const pairs = fc.array(
      fc.tuple(
        text.filter((name) => name !== ''),
        text,
      ),
    )
    fc.assert(
      fc.property(pairs, (sent) => {
        const query = queryParameters(new URLSearchParams(new URLSearchParams(sent).toString()))
        const body = parameters(...sent.map(([name, valueString]) => ({ name, valueString })))
        expect(bodyParameters(JSON.parse(JSON.stringify(body)))).to.deep.equal(query)
      }),
    )
  })

  const bodies: readonly [unknown, RegExp][] = [
    [undefined, /undefined/],
    [null, /null/],
    [[], /array/],
    ['Parameters', /string/],
    [7, /number/],
    [{}, /without a resourceType/],
    [{ resourceType: 'Patient' }, /not Patient/],
    [{ resourceType: ['Parameters'] }, /without a resourceType/],
    [{ resourceType: '<script>' }, /without a resourceType/],
    [{ resourceType: 'Parameters', parameter: {} }, /array/],
    [{ resourceType: 'Parameters', parameter: 'x' }, /array/],
  ]
  for (const [body, said] of bodies) {
    it(`refuses the body ${JSON.stringify(body)}`, () => {
      const error = errorOf(() => bodyParameters(body))
      expect(error.status).to.equal(400)
      expect(error.message).to.match(said)
      expect(error.issues.map(({ code }) => code)).to.deep.equal(['structure'])
    })
  }

  const entries: readonly unknown[] = [
    null,
    'x',
    [],
    {},
    { name: '' },
    { name: 7, valueString: 'a' },
    { valueString: 'a' },
    { name: 'x' },
    { name: 'x', part: [{ name: 'y', valueString: 'a' }] },
    { name: 'x', resource: { resourceType: 'Patient' } },
    { name: 'x', valueString: 'a', valueCode: 'b' },
    { name: 'x', valueString: null },
    { name: 'x', valueString: ['a'] },
    { name: 'x', valueReference: {} },
    { name: 'x', valueReference: { identifier: { value: '1' } } },
    { name: 'x', valueCoding: { code: 7 } },
    { name: 'x', valuePeriod: { start: '2024' } },
  ]
  for (const entry of entries) {
    it(`refuses the entry ${JSON.stringify(entry)}, by its place`, () => {
      const error = errorOf(() => bodyParameters(parameters({ name: '_type', valueString: 'A' }, entry)))
      expect(error.status).to.equal(400)
      expect(error.issues.map(({ expression }) => expression)).to.deep.equal(['Parameters.parameter[1]'])
    })
  }

  it('reports every entry that cannot be read at once', () => {
    const error = errorOf(() => bodyParameters(parameters(...entries)))
    expect(error.issues.map(({ expression }) => expression)).to.deep.equal(
      entries.map((_, index) => `Parameters.parameter[${index}]`),
    )
  })
})
