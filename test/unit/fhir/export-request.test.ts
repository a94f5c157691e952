import { expect } from 'chai'
import fc from 'fast-check'
import { ExportError } from '../../../plugin/errors.js'
import {
  type ExportLevel,
  type ExportRequest,
  parseExportRequest,
} from '../../../plugin/fhir/export-request.js'
import { bodyParameters, type Parameter, queryParameters } from '../../../plugin/fhir/parameter.js'

const HOST_TYPES = ['Condition', 'Group', 'Observation', 'Organization', 'Patient', 'Practitioner']
const IN_COMPARTMENT = ['Condition', 'Group', 'Observation', 'Patient']
const NOW = new Date('2024-01-31T12:00:00.000Z')
const LEVELS: readonly ExportLevel[] = ['system', 'patient', 'group']

interface Circumstances {
  readonly level?: ExportLevel
  readonly lenient?: boolean
  readonly hostTypes?: readonly string[]
  readonly hasContainers?: boolean
}

/** The two ways to send parameters; each test is run with both. */
const WAYS: readonly [string, (pairs: readonly (readonly [string, string])[]) => Parameter[]][] = [
  [
    'GET',
    (pairs) =>
      queryParameters(
        new URLSearchParams(
          new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value])).toString(),
        ),
      ),
  ],
  [
    'POST',
    (pairs) =>
      bodyParameters({
        resourceType: 'Parameters',
        parameter: pairs.map(([name, valueString]) => ({ name, valueString })),
      }),
  ],
]

for (const [way, sent] of WAYS) {
  const parse = (
    pairs: readonly (readonly [string, string])[],
    { level = 'system', lenient = false, hostTypes = HOST_TYPES, hasContainers = false }: Circumstances = {},
  ): ExportRequest => {
    const host = {
      base: 'https://fhir.example.org/4_0_0',
      checkSearch: () => undefined,
      elementsOf: () => ['id'],
    }
    return parseExportRequest(sent(pairs), {
      ...{ level, lenient, hostTypes, hasContainers, now: NOW, isPost: way === 'POST' },
      ...host,
    })
  }
  const refusal = (...given: Parameters<typeof parse>): ExportError => {
    try {
      parse(...given)
    } catch (error) {
      if (error instanceof ExportError) return error
      throw error
    }
    throw new Error('It was not refused.')
  }
  const expressions = ({ issues }: ExportError) => issues.map(({ expression }) => expression)

  describe(`parseExportRequest, by ${way}`, () => {
    for (const level of LEVELS) {
      it(`without parameters means everything that is possible at ${level} level`, () => {
        expect(parse([], { level })).to.deep.equal({
          types: level === 'system' ? HOST_TYPES : IN_COMPARTMENT,
          ignored: [],
        })
      })
    }

    describe('_outputFormat', () => {
      const formats = [
        'application/fhir+ndjson',
        'application/ndjson',
        'ndjson',
        'Application/FHIR+NDJSON',
        ' ndjson ',
      ]
      for (const format of [...formats, 'application/fhir ndjson']) {
        it(`may be ${JSON.stringify(format)}`, () => {
          expect(parse([['_outputFormat', format]]).types).to.deep.equal(HOST_TYPES)
        })
      }
      for (const format of [
        '',
        'json',
        'text/csv',
        'application/fhir+json',
        'ndjson,ndjson',
        'fhir+ndjson',
      ]) {
        for (const lenient of [false, true]) {
          it(`may not be ${JSON.stringify(format)}, ${lenient ? 'lenient' : 'strict'}`, () => {
            const error = refusal([['_outputFormat', format]], { lenient })
            expect(error.status).to.equal(400)
            expect(error.issues).to.have.lengthOf(1)
            expect(error.issues[0]).to.include({
              severity: 'error',
              code: 'value',
              expression: '_outputFormat',
            })
          })
        }
      }
    })

    describe('_since', () => {
      it('is an instant', () => {
        expect(parse([['_since', '2024-01-30T00:00:00.5+02:00']]).since?.toISOString()).to.equal(
          '2024-01-29T22:00:00.500Z',
        )
      })

      it('may be ahead as far as clocks differ, but not further [QP-22]', () => {
        expect(parse([['_since', '2024-01-31T12:01:00Z']]).since).to.deep.equal(
          new Date('2024-01-31T12:01:00Z'),
        )
        const error = refusal([['_since', '2024-01-31T12:01:00.001Z']])
        expect(error.message).to.include('future').and.include(NOW.toISOString())
      })

      for (const value of [
        '',
        '2024',
        '2024-01-31',
        '2024-01-31T10:00:00',
        'yesterday',
        '2024-02-30T00:00:00Z',
      ]) {
        for (const lenient of [false, true]) {
          it(`may not be ${JSON.stringify(value)}, ${lenient ? 'lenient' : 'strict'}`, () => {
            const error = refusal([['_since', value]], { lenient })
            expect(error.status).to.equal(400)
            expect(expressions(error)).to.deep.equal(['_since'])
          })
        }
      }
    })

    for (const name of ['_outputFormat', '_since']) {
      it(`${name} may be given only once, and that is said once [QP-06]`, () => {
        const value = name === '_since' ? '2024-01-01T00:00:00Z' : 'ndjson'
        const error = refusal([
          [name, value],
          [name, value],
          [name, value],
        ])
        expect(expressions(error)).to.deep.equal([name])
      })
    }

    describe('_type', () => {
      const cases: readonly [readonly string[], readonly string[]][] = [
        [['Patient'], ['Patient']],
        [['Patient,Observation'], ['Patient', 'Observation']],
        [
          ['Observation', 'Patient'],
          ['Observation', 'Patient'],
        ],
        [
          ['Patient,Condition', 'Condition,Patient', 'Patient'],
          ['Patient', 'Condition'],
        ],
        [[' Patient , Observation '], ['Patient', 'Observation']],
      ]
      for (const [values, expected] of cases) {
        it(`${JSON.stringify(values)} asks for ${expected}, each once`, () => {
          const { types, ignored } = parse(values.map((value) => ['_type', value] as const))
          expect([...types].sort()).to.deep.equal([...expected].sort())
          expect(ignored).to.deep.equal([])
        })
      }

      for (const unknown of [
        'patient',
        'Encounter',
        'Nonsense',
        '',
        '__proto__',
        'constructor',
        'Patient;Group',
      ]) {
        it(`${JSON.stringify(unknown)} is refused, and left out when lenient`, () => {
          const pairs = [['_type', `Patient,${unknown}`]] as const
          const error = refusal(pairs)
          expect(error.status).to.equal(400)
          expect(error.issues).to.have.lengthOf(1)
          expect(error.issues[0]).to.include({ code: 'not-supported', expression: '_type' })
          expect(error.message).to.include(JSON.stringify(unknown))
          const { types, ignored } = parse(pairs, { lenient: true })
          expect(types).to.deep.equal(['Patient'])
          expect(ignored.map(({ severity, code }) => `${severity} ${code}`)).to.deep.equal([
            'warning not-supported',
          ])
        })
      }

      for (const level of LEVELS) {
        for (const value of ['Nonsense', '', ',', 'Nonsense,Encounter']) {
          it(`${JSON.stringify(value)} alone never means everything, at ${level} level`, () => {
            expect(refusal([['_type', value]], { level, lenient: true }).status).to.equal(400)
            expect(refusal([['_type', value]], { level }).status).to.equal(400)
          })
        }
      }

      for (const level of ['patient', 'group'] as const) {
        it(`leaves out what is in no compartment at ${level} level, and says so`, () => {
          const { types, ignored } = parse([['_type', 'Organization,Patient']], { level })
          expect(types).to.deep.equal(['Patient'])
          expect(ignored.map(({ diagnostics }) => diagnostics).join()).to.include('Organization')
        })

        it(`refuses what is in no compartment alone at ${level} level [QP-33]`, () => {
          expect(refusal([['_type', 'Organization,Practitioner']], { level }).status).to.equal(400)
          expect(refusal([['_type', 'Organization']], { level, lenient: true }).status).to.equal(400)
        })

        it(`refuses everything at ${level} level of a host that has nothing there`, () => {
          expect(refusal([], { level, hostTypes: ['Organization'] }).status).to.equal(400)
        })
      }
    })

    describe('other parameters [QP-04]', () => {
      const unsupported = ['_container', 'organizeOutputBy', '_TYPE', 'type']
      for (const name of [...unsupported, 'x'.repeat(300), '__proto__', 'constructor']) {
        it(`${name.slice(0, 24)} is refused by name, and left out when lenient${name === 'organizeOutputBy' ? ' [QP-81]' : ''}`, () => {
          const pairs = [
            [name, 'a'],
            [name, 'b'],
            ['_type', 'Patient'],
          ] as const
          const error = refusal(pairs)
          expect(error.status).to.equal(400)
          expect(error.issues).to.have.lengthOf(1)
          expect(error.issues[0]?.diagnostics).to.include(name.slice(0, 60))
          expect(error.issues[0]?.diagnostics.length).to.be.below(250)
          const { types, ignored } = parse(pairs, { lenient: true })
          expect(types).to.deep.equal(['Patient'])
          expect(ignored).to.have.lengthOf(1)
        })
      }

      const associated = [
        { values: ['LatestProvenanceResources'], is: 'latest' },
        { values: ['RelevantProvenanceResources'], is: 'relevant' },
        { values: ['LatestProvenanceResources,RelevantProvenanceResources'], is: 'relevant' },
        { values: ['RelevantProvenanceResources', ' LatestProvenanceResources '], is: 'relevant' },
        { values: ['LatestProvenanceResources,LatestProvenanceResources'], is: 'latest' },
      ]
      for (const { values, is } of associated) {
        it(`includeAssociatedData=${values.join(' and ')} is ${is}, and Provenance among the types`, () => {
          const pairs = values.map((value) => ['includeAssociatedData', value] as const)
          const asked = parse([...pairs, ['_type', 'Patient']], { hostTypes: ['Patient', 'Provenance'] })
          expect(asked.associated).to.equal(is)
          expect(asked.types).to.deep.equal(['Patient', 'Provenance'])
        })
      }

      for (const value of ['_custom', 'latestProvenanceResources', '', ',', 'x'.repeat(300)]) {
        it(`includeAssociatedData=${value.slice(0, 24)} is refused, and left out when lenient`, () => {
          const pairs = [['includeAssociatedData', value]] as const
          const context = { hostTypes: ['Patient', 'Provenance'] }
          expect(refusal(pairs, context).issues).to.have.lengthOf(1)
          const { associated: left, ignored } = parse(pairs, { ...context, lenient: true })
          expect(left).to.equal(undefined)
          expect(ignored).to.have.lengthOf(1)
        })
      }

      it('includeAssociatedData is refused where there is no Provenance, and left out when lenient', () => {
        const pairs = [['includeAssociatedData', 'LatestProvenanceResources']] as const
        const context = { hostTypes: ['Patient'] }
        expect(refusal(pairs, context).message).to.include('no Provenance')
        expect(parse(pairs, { ...context, lenient: true }).types).to.deep.equal(['Patient'])
      })

      for (const value of ['exports', '', ' a ', '../x', 'x'.repeat(300)]) {
        it(`_container=${value.slice(0, 24)} is taken as it is where the storage has containers`, () => {
          const asked = parse([['_container', value]], { hasContainers: true })
          expect([asked.container, asked.ignored]).to.deep.equal([value, []])
        })
      }

      it('_container may be given only once where the storage has containers, also when lenient', () => {
        const pairs = [
          ['_container', 'a'],
          ['_container', 'a'],
        ] as const
        for (const lenient of [false, true]) {
          const error = refusal(pairs, { lenient, hasContainers: true })
          expect(expressions(error)).to.deep.equal(['_container'])
          expect(error.message).to.include('only once')
        }
        expect(parse([], { hasContainers: true })).not.to.have.property('container')
      })

      it('about the form of the answer are passed over', () => {
        const { ignored } = parse([
          ['_format', 'json'],
          ['_pretty', 'true'],
        ])
        expect(ignored).to.deep.equal([])
      })
    })

    const faulty = [
      ['_outputFormat', 'csv'],
      ['_since', 'yesterday'],
      ['_type', 'Nonsense'],
      ['_container', 'id'],
    ] as const

    it('reports all faults at once', () => {
      expect(expressions(refusal(faulty)).sort()).to.deep.equal(faulty.map(([name]) => name).sort())
    })

    it('reports every one of any set of faults, and none but those', () => {
      const fine = [
        ['_format', 'json'],
        ['_type', 'Patient'],
      ] as const
      fc.assert(
        fc.property(fc.subarray([...faulty], { minLength: 1 }), fc.subarray([...fine]), (wrong, right) => {
          const error = refusal([...right, ...wrong])
          expect(expressions(error).sort()).to.deep.equal(wrong.map(([name]) => name).sort())
        }),
      )
    })

    it('reports with lenient handling what is wrong and not merely unknown', () => {
      expect(expressions(refusal(faulty, { lenient: true })).sort()).to.deep.equal([
        '_outputFormat',
        '_since',
      ])
    })
  })
}
