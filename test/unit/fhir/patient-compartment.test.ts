import { createRequire } from 'node:module'
import { expect } from 'chai'
import fc from 'fast-check'
import { PatientAttributePaths, PatientSearchParameters } from 'fhir-spec-tools'
import { compartmentOf } from '../../../plugin/fhir/patient-compartment.js'

const BASE = 'https://fhir.example.org/4_0_0'
const { types: TYPES, has, paths: pathsOf, memberships } = compartmentOf('4_0_0')

// Published tables of the same compartment definition.
const PATHS: Readonly<Record<string, readonly string[]>> = PatientAttributePaths.patientAttributePaths
const PARAMETERS: Readonly<Record<string, readonly string[]>> =
  PatientSearchParameters.patientSearchParameters

/** Where the plugin's table differs from the published ones, and why. */
const DIFFERENCES: Readonly<Record<string, { parameters: readonly string[]; paths: readonly string[] }>> = {
  // `patient` reads two elements there; here each has the parameter that reads it alone.
  AuditEvent: { parameters: ['patient', 'entity'], paths: ['agent.who', 'entity.what'] },
  // `patient` and `subject` read the same element: one of them is enough.
  Invoice: { parameters: ['patient', 'recipient'], paths: ['subject', 'recipient'] },
  MedicationAdministration: { parameters: ['patient', 'performer'], paths: ['subject', 'performer.actor'] },
  MedicationDispense: { parameters: ['patient', 'receiver'], paths: ['subject', 'receiver'] },
  // `link` would hand out the record of another person.
  Patient: { parameters: [], paths: [] },
}

interface SearchParameter {
  readonly name: string
  readonly type: string
  readonly xpath: string
}

const { getSearchParameters } = createRequire(import.meta.url)(
  '@asymmetrik/node-fhir-server-core/dist/server/utils/params.utils.js',
) as { getSearchParameters(type: string, version: string): readonly SearchParameter[] }

const sorted = (values: Iterable<string>) => [...values].sort()

describe('the patient compartment', () => {
  it('has the types of the definition, in alphabetical order [KO-14]', () => {
    expect(TYPES).to.deep.equal(sorted(Object.keys(PARAMETERS)))
    expect(sorted(Object.keys(PATHS))).to.deep.equal(sorted(Object.keys(PARAMETERS)))
  })

  for (const type of Object.keys(PARAMETERS)) {
    it(`has the parameters and elements of ${type}`, () => {
      const found = pathsOf(type)
      const published = { parameters: PARAMETERS[type] ?? [], paths: PATHS[type] ?? [] }
      const expected = DIFFERENCES[type] ?? published
      expect(has(type)).to.equal(true)
      expect(sorted(found.map(({ parameter }) => parameter))).to.deep.equal(sorted(expected.parameters))
      expect(sorted(found.map(({ path }) => path.join('.')))).to.deep.equal(sorted(expected.paths))
    })

    for (const { parameter, path } of pathsOf(type)) {
      it(`searches ${type} by ${parameter}, a parameter of the host that reads ${path.join('.')}`, () => {
        for (const version of ['4_0_0', '4_0_1']) {
          const declared = getSearchParameters(type, version).find(({ name }) => name === parameter)
          expect(declared?.type, version).to.equal('reference')
          expect(elementsOf(type, declared?.xpath ?? ''), version).to.include(path.join('.'))
        }
      })
    }
  }

  it('has no two parameters of a type for one element', () => {
    for (const type of TYPES) {
      const paths = pathsOf(type).map(({ path }) => path.join('.'))
      expect(new Set(paths).size, type).to.equal(paths.length)
    }
  })

  for (const type of [
    'Organization',
    'Practitioner',
    'Medication',
    'patient',
    '',
    '__proto__',
    'constructor',
  ]) {
    it(`does not have ${JSON.stringify(type)}`, () => {
      expect(has(type)).to.equal(false)
      expect(pathsOf(type)).to.deep.equal([])
      const resource = { resourceType: type, id: '1', subject: { reference: 'Patient/1' } }
      expect(memberships(resource, BASE)).to.deep.equal([])
    })
  }
})

describe('memberships', () => {
  for (const type of TYPES.filter((type) => type !== 'Patient')) {
    it(`finds a patient at each path of ${type}, single and in lists`, () => {
      for (const [index, { path }] of pathsOf(type).entries()) {
        const at = (wrap: (value: unknown) => unknown) => ({
          resourceType: type,
          id: '1',
          ...(nested(path, { reference: 'Patient/a' }, wrap) as object),
        })
        const expected = [{ patient: 'a', path: index, isPlain: true }]
        expect(
          memberships(
            at((value) => value),
            BASE,
          ),
        ).to.deep.equal(expected)
        expect(
          memberships(
            at((value) => [value]),
            BASE,
          ),
        ).to.deep.equal(expected)
        expect(
          memberships(
            at((value) => [null, {}, value, 'x']),
            BASE,
          ),
        ).to.deep.equal(expected)
      }
    })
  }

  it('finds every patient of every path', () => {
    const observation = {
      resourceType: 'Observation',
      id: '1',
      subject: { reference: 'Patient/b' },
      performer: [
        { reference: 'Practitioner/x' },
        { reference: `${BASE}/Patient/a/_history/2` },
        { reference: 'Patient/b' },
        { reference: 'https://other.example.org/Patient/c' },
        { display: 'somebody' },
      ],
      // Not in the definition: focus and contained resources do not lead into the compartment.
      focus: [{ reference: 'Patient/d' }],
      contained: [{ resourceType: 'Observation', subject: { reference: 'Patient/e' } }],
    }
    expect(memberships(observation, BASE)).to.have.deep.members([
      { patient: 'b', path: 0, isPlain: true },
      { patient: 'a', path: 1, isPlain: false },
      { patient: 'b', path: 1, isPlain: true },
    ])
  })

  it('takes each path by its own type only', () => {
    const resource = { id: '1', patient: { reference: 'Patient/a' } }
    expect(memberships({ ...resource, resourceType: 'Immunization' }, BASE)).to.have.lengthOf(1)
    expect(memberships({ ...resource, resourceType: 'Observation' }, BASE)).to.deep.equal([])
  })

  it('of a patient is itself and nobody that it links to', () => {
    const link = [{ other: { reference: 'Patient/b' }, type: 'seealso' }]
    const patient = {
      resourceType: 'Patient',
      id: 'a',
      link,
      generalPractitioner: [{ reference: 'Patient/c' }],
    }
    expect(memberships(patient, BASE)).to.deep.equal([{ patient: 'a', path: 0, isPlain: true }])
    expect(memberships({ resourceType: 'Patient' }, BASE)).to.deep.equal([])
  })

  it('survives whatever stands in the elements', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.object({ maxDepth: 3 }), (type, object) => {
        const resource = {
          ...object,
          ...Object.fromEntries(pathsOf(type).map(({ path }) => [path[0], object])),
        }
        expect(memberships({ ...resource, resourceType: type }, BASE)).to.be.an('array')
      }),
    )
  })
})

/** `{ a: { b: leaf } }` for the path `a.b`, with `wrap` around every value but the outermost. */
function nested(path: readonly string[], leaf: unknown, wrap: (value: unknown) => unknown): unknown {
  const [element, ...rest] = path
  return element === undefined ? leaf : { [element]: wrap(nested(rest, leaf, wrap)) }
}

/** The elements that an expression of a search parameter reads in one type, without `where(…)` and `as`. */
function elementsOf(type: string, expression: string): readonly string[] {
  return expression
    .split('|')
    .map((part) =>
      part
        .trim()
        .replaceAll(/^\(|\)$/g, '')
        .replaceAll(/\.where\(.*\)/g, '')
        .replace(/ as .*/, ''),
    )
    .filter((part) => part.startsWith(`${type}.`))
    .map((part) => part.slice(type.length + 1))
}
