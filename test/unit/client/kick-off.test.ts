import { expect } from 'chai'
import fc from 'fast-check'
import { bodyParameters, queryParameters } from '../../../plugin/fhir/parameter.js'
import { kickOffRequest, type Level, type Parameters } from '../../../scripts/client/kick-off.js'

const BASE = 'https://fhir.example.org/4_0_0'
const NAMES = [
  '_type',
  '_since',
  '_until',
  '_typeFilter',
  '_elements',
  '_outputFormat',
  '_container',
  'patient',
]

describe('kickOffRequest', () => {
  const parameters = fc.array(
    fc.tuple(fc.constantFrom(...NAMES), fc.string({ minLength: 1, maxLength: 400, unit: 'grapheme' })),
    { maxLength: 12 },
  )

  it('sends what a server reads as the same parameters, by GET and by POST', () => {
    fc.assert(
      fc.property(parameters, fc.boolean(), (sent: Parameters, post) => {
        const { method, url, headers, body } = kickOffRequest(BASE, 'system', sent, { post })
        const received =
          method === 'GET'
            ? queryParameters(new URL(url).searchParams)
            : bodyParameters(JSON.parse(body as string))
        expect(received.map(({ name, value }) => [name, value])).to.deep.equal(sent)
        expect('Content-Type' in headers, 'a body has a type').to.equal(method === 'POST')
        if (post || sent.some(([name]) => name === 'patient')) expect(method).to.equal('POST')
        expect(url.length).to.be.at.most(2000)
      }),
    )
  })

  it('has the types of values that the guide has', () => {
    const sent = [
      ['_since', '2026-01-01T00:00:00Z'],
      ['patient', 'Patient/p1'],
      ['allowPartialManifests', 'true'],
      ['_type', 'Patient'],
    ] as const
    const { body } = kickOffRequest(BASE, 'patient', sent)
    expect(JSON.parse(body as string)).to.deep.equal({
      resourceType: 'Parameters',
      parameter: [
        { name: '_since', valueInstant: '2026-01-01T00:00:00Z' },
        { name: 'patient', valueReference: { reference: 'Patient/p1' } },
        { name: 'allowPartialManifests', valueBoolean: true },
        { name: '_type', valueString: 'Patient' },
      ],
    })
  })

  const paths: readonly (readonly [Level, string])[] = [
    ['system', '/$export'],
    ['patient', '/Patient/$export'],
    [{ group: 'g-1' }, '/Group/g-1/$export'],
    [{ group: 'a/b?c' }, '/Group/a%2Fb%3Fc/$export'],
  ]
  for (const [level, path] of paths) {
    it(`asks at ${path}`, () => {
      const request = kickOffRequest(BASE, level, [], { lenient: true })
      expect(request).to.deep.equal({
        ...{ method: 'GET', url: `${BASE}${path}` },
        headers: { Accept: 'application/fhir+json', Prefer: 'respond-async, handling=lenient' },
      })
    })
  }
})
