import { expect } from 'chai'
import fc from 'fast-check'
import { compartmentOf } from '../../../plugin/fhir/patient-compartment.js'
import type { Resource } from '../../../plugin/fhir/resource.js'
import { CompartmentReader } from '../../../plugin/search/scan-compartment.js'
import { stored } from './scan-documents.js'

const BASE = 'https://fhir.example.org/r4/4_0_0'
const { types: TYPES, paths: pathsOf, memberships } = compartmentOf('4_0_0')

/** Each reference as often as it stands there, in the order of the paths. */
function readFrom(document: Buffer, type: string): string[] | undefined {
  const reader = new CompartmentReader(type, BASE)
  if (!reader.read(document)) return undefined
  return Array.from({ length: reader.count }, (_, index) => reader.idAt(index))
}

function expected(resource: object): string[] {
  return memberships(resource as Resource, BASE).map(({ patient }) => patient)
}

const id = fc.oneof(
  fc.constantFrom('1', 'a-b.C', 'x'.repeat(64), 'x'.repeat(65), '', 'ä', 'a_b', '..', 'a/b', 'p1 '),
  fc.string({ maxLength: 5 }),
)
const text = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', `${BASE}/`, `${BASE}`, 'https://other.org/4_0_0/', '/', '#', `${BASE}/${BASE}/`),
      fc.constantFrom('Patient', 'patient', 'Group', 'Patients', 'PatientX', ''),
      fc.constantFrom('/', '', '//', '?'),
      id,
      fc.constantFrom('', '/_history/1', '/_history/', '/_history', '/_history/1/2', '/history/1', '/', '\0'),
    )
    .map((parts) => parts.join('')),
  fc.string({ maxLength: 20 }),
)
const reference = fc.oneof(
  { weight: 6, arbitrary: text.map((value): unknown => ({ reference: value })) },
  fc.constantFrom<unknown>(
    ...[null, 5, 'Patient/1', {}, [], true, { reference: 5 }, { reference: null }, { display: 'Patient/1' }],
    ...[{ reference: ['Patient/1'] }, { reference: { reference: 'Patient/1' } }],
  ),
)
const listed = fc.oneof(
  { weight: 3, arbitrary: reference },
  fc.array(fc.oneof(reference, fc.array(reference, { maxLength: 2 })), { maxLength: 3 }),
)

/** A value on the way: the rest of the path within an object, or in a list of them. */
function along(path: readonly string[]): fc.Arbitrary<unknown> {
  const [name, ...rest] = path
  if (name === undefined) return listed
  const inner = fc
    .tuple(along(rest), fc.constantFrom('', 'reference', 'subject', 'x'))
    .map(([value, other]) => ({
      ...(other === '' ? {} : { [other]: { reference: 'Patient/z' } }),
      [name]: value,
    }))
  return fc.oneof({ weight: 3, arbitrary: inner }, fc.array(inner, { maxLength: 3 }))
}

const resource = fc.constantFrom(...TYPES).chain((resourceType) => {
  const fields = pathsOf(resourceType).map(({ path: [root = '', ...rest] }) =>
    fc.option(along(rest), { nil: undefined }).map((value) => (value === undefined ? {} : { [root]: value })),
  )
  const other = fc.constantFrom({}, { text: { reference: 'Patient/no' } }, { patients: 'Patient/no' })
  return fc
    .tuple(fc.oneof(id, fc.constantFrom(undefined, 5, null)), other, ...fields)
    .map(([own, ...rest]) =>
      Object.assign({ resourceType, ...(own === undefined ? {} : { id: own }) }, ...rest),
    )
})

describe('CompartmentReader', () => {
  it('finds in the bytes what memberships() finds in the object', () => {
    fc.assert(
      fc.property(resource, (one) => {
        const isOddPatient = one.resourceType === 'Patient' && typeof one.id !== 'string'
        expect(readFrom(stored(one), one.resourceType)).to.deep.equal(isOddPatient ? [] : expected(one))
      }),
      { numRuns: 3000 },
    )
  })

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
