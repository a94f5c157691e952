import { expect } from 'chai'
import fc from 'fast-check'
import { EXPORT_VERSIONS } from '../../../plugin/fhir/fhir-version.js'
import { compartmentOf } from '../../../plugin/fhir/patient-compartment.js'
import type { Resource } from '../../../plugin/fhir/resource.js'
import { CompartmentReader } from '../../../plugin/search/scan-compartment.js'
import { stored } from './scan-documents.js'

const BASE = baseOf('4_0_0')
/** Random documents of each version. */
const RUNS = 1500

function baseOf(version: string): string {
  return `https://fhir.example.org/fhir/${version}`
}

/** Each reference as often as it stands there, in the order of the paths. */
function readFrom(document: Buffer, type: string, base = BASE): string[] | undefined {
  const reader = new CompartmentReader(type, base)
  if (!reader.read(document)) return undefined
  return Array.from({ length: reader.count }, (_, index) => reader.idAt(index))
}

const patient = fc.stringMatching(/^[A-Za-z0-9.-]{1,4}$/)
const id = fc.oneof(
  fc.constantFrom('1', 'a-b.C', 'x'.repeat(64), 'x'.repeat(65), '', 'ä', 'a_b', '..', 'a/b', 'p1 '),
  fc.string({ maxLength: 5 }),
)

/** What `reference` may hold on a server with this base. */
function textAt(base: string): fc.Arbitrary<string> {
  const places = ['', `${base}/`, base, 'https://other.org/4_0_0/', '/', '#', `${base}/${base}/`]
  const otherVersions = EXPORT_VERSIONS.map((version) => `${baseOf(version)}/`)
  return fc.oneof(
    // Of the others hardly one in a thousand is a reference to a patient of this server.
    fc
      .tuple(fc.constantFrom('', `${base}/`), patient, fc.constantFrom('', '/_history/1'))
      .map(([place, own, version]) => `${place}Patient/${own}${version}`),
    fc
      .tuple(
        fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...places) }, fc.constantFrom(...otherVersions)),
        fc.constantFrom('Patient', 'patient', 'Group', 'Patients', 'PatientX', ''),
        fc.constantFrom('/', '', '//', '?'),
        id,
        fc.constantFrom(
          ...['', '/_history/1', '/_history/', '/_history', '/_history/1/2', '/history/1', '/', '\0'],
        ),
      )
      .map((parts) => parts.join('')),
    fc.string({ maxLength: 20 }),
  )
}

/** What may stand where a reference is to be. */
function listedAt(base: string): fc.Arbitrary<unknown> {
  const reference = fc.oneof(
    { weight: 6, arbitrary: textAt(base).map((value): unknown => ({ reference: value })) },
    fc.constantFrom<unknown>(
      ...[null, 5, 'Patient/1', {}, [], true],
      ...[{ reference: 5 }, { reference: null }, { display: 'Patient/1' }],
      ...[{ reference: ['Patient/1'] }, { reference: { reference: 'Patient/1' } }],
    ),
  )
  return fc.oneof(
    { weight: 3, arbitrary: reference },
    fc.array(fc.oneof(reference, fc.array(reference, { maxLength: 2 })), { maxLength: 3 }),
  )
}

/** A value on the way: the rest of the path within an object, or in a list of them. */
function along(path: readonly string[], listed: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const [name, ...rest] = path
  if (name === undefined) return listed
  const inner = fc
    .tuple(along(rest, listed), fc.constantFrom('', 'reference', 'subject', 'x'))
    .map(([value, other]) => ({
      ...(other === '' ? {} : { [other]: { reference: 'Patient/z' } }),
      [name]: value,
    }))
  return fc.oneof({ weight: 3, arbitrary: inner }, fc.array(inner, { maxLength: 3 }))
}

/** Resources with references on the ways into the compartment of a version, and on those of the other versions. */
function resourceOf(version: string): fc.Arbitrary<Resource> {
  const { types, paths } = compartmentOf(version)
  const others = EXPORT_VERSIONS.filter((each) => each !== version).map(compartmentOf)
  const listed = listedAt(baseOf(version))
  return fc.constantFrom(...types).chain((resourceType) => {
    const ways = [...others.flatMap((other) => other.paths(resourceType)), ...paths(resourceType)]
    const fields = [...new Map(ways.map(({ path }) => [path.join('.'), path])).values()].map(
      ([root = '', ...rest]) =>
        fc
          .option(along(rest, listed), { nil: undefined })
          .map((value) => (value === undefined ? {} : { [root]: value })),
    )
    const other = fc.constantFrom({}, { text: { reference: 'Patient/no' } }, { patients: 'Patient/no' })
    return fc
      .tuple(fc.oneof(id, fc.constantFrom(undefined, 5, null)), other, ...fields)
      .map(([own, ...rest]) =>
        Object.assign({ resourceType, ...(own === undefined ? {} : { id: own }) }, ...rest),
      )
  })
}

describe('CompartmentReader', () => {
  for (const version of EXPORT_VERSIONS) {
    it(`finds in the bytes what memberships() finds in the object, in ${version}`, () => {
      const base = baseOf(version)
      const { memberships } = compartmentOf(version)
      let owned = 0
      fc.assert(
        fc.property(resourceOf(version), (one) => {
          const isOddPatient = one.resourceType === 'Patient' && typeof one.id !== 'string'
          const expected = isOddPatient ? [] : memberships(one, base).map(({ patient }) => patient)
          expect(readFrom(stored(one), one.resourceType, base)).to.deep.equal(expected)
          if (expected.length > 0) owned += 1
        }),
        { numRuns: RUNS },
      )
      expect(owned).to.be.above(RUNS / 5)
    })
  }

  it('finds an id as it is, in a Patient', () => {
    for (const own of ['p1', '', 'not an id', 'x'.repeat(300)]) {
      expect(readFrom(stored({ resourceType: 'Patient', id: own }), 'Patient')).to.deep.equal([own])
    }
  })

  it('takes the last of several fields with one name, as an object has it', () => {
    const first = stored({ subject: { reference: 'Patient/first' } })
    const last = stored({ subject: { reference: 'Patient/last' } })
    const both = Buffer.concat([first.subarray(0, -1), last.subarray(4)])
    both.writeInt32LE(both.length)
    expect(readFrom(both, 'Condition')).to.deep.equal(['last'])
  })

  it('says that it cannot tell when the bytes contradict each other, and never throws', () => {
    const whole = stored({
      resourceType: 'Observation',
      performer: [{ reference: 'Patient/1' }, { reference: `${BASE}/Patient/2/_history/3` }],
      subject: { reference: 'Patient/3' },
    })
    expect(readFrom(whole, 'Observation')).to.deep.equal(['3', '1', '2'])
    expect(readFrom(whole.subarray(0, -1), 'Observation')).to.equal(undefined)
    expect(readFrom(Buffer.alloc(0), 'Observation')).to.equal(undefined)
    for (let at = 0; at < whole.length; at++) {
      for (const byte of [0, 1, 2, 3, 4, 0x7f, 0xff]) {
        const broken = Buffer.from(whole)
        broken[at] = byte
        const found = readFrom(broken, 'Observation') ?? []
        for (const patient of found) expect(patient).to.match(/^[A-Za-z0-9.-]{1,64}$/)
      }
    }
  })
})
