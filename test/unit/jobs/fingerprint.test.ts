import { expect } from 'chai'
import { fingerprintOf } from '../../../plugin/jobs/fingerprint.js'

type NewJob = Parameters<typeof fingerprintOf>[0]

const JOB: NewJob = {
  _id: '0'.repeat(32),
  level: 'group',
  groupId: 'g',
  types: ['Condition', 'Patient'],
  since: new Date('2024-01-01T00:00:00Z'),
  before: new Date('2024-06-01T00:00:00Z'),
  filters: [
    { type: 'Condition', query: 'code=a,b' },
    { type: 'Condition', query: 'code=c' },
  ],
  elements: { Condition: ['code', 'onset'], Patient: ['name'] },
  patients: ['p1', 'p2'],
  transactionTime: new Date('2024-07-01T00:00:00Z'),
  requestUrl: 'https://fhir.example.org/4_0_0/Group/g/$export',
  base: 'https://fhir.example.org/4_0_0',
  owner: 'me',
  caller: '{"headers":{}}',
}

function without(...names: readonly (keyof NewJob)[]): NewJob {
  const kept = Object.entries(JOB).filter(([name]) => !names.includes(name as keyof NewJob))
  return Object.fromEntries(kept) as unknown as NewJob
}

describe('the fingerprint of what a job asks for', () => {
  it('is 64 hexadecimal digits', () => expect(fingerprintOf(JOB)).to.match(/^[0-9a-f]{64}$/))

  const equal: readonly (readonly [what: string, other: NewJob])[] = [
    ['the job itself', { ...JOB, _id: 'f'.repeat(32), transactionTime: new Date(0) }],
    ['how it was asked', { ...JOB, requestUrl: 'https://x', caller: '{"headers":{"a":"b"}}' }],
    ['the name of the server', { ...JOB, base: 'http://10.0.0.1:3000/fhir/4_0_0' }],
    ['what was left out of it', { ...JOB, notes: [] }],
    ['the form of status answers', { ...JOB, separateStatus: true }],
    ['a fingerprint that it has', { ...JOB, fingerprint: fingerprintOf(JOB) }],
    ['the order of its fields', Object.fromEntries(Object.entries(JOB).reverse()) as unknown as NewJob],
    ['the order of types', { ...JOB, types: ['Patient', 'Condition'] }],
    ['types named twice', { ...JOB, types: ['Patient', 'Condition', 'Patient'] }],
    ['the order of patients', { ...JOB, patients: ['p2', 'p1', 'p2'] }],
    ['the order of filters', { ...JOB, filters: [...(JOB.filters ?? [])].reverse() }],
    ['the order of elements', { ...JOB, elements: { Patient: ['name'], Condition: ['onset', 'code'] } }],
    ['the zone of a time', { ...JOB, since: new Date('2024-01-01T02:00:00+02:00') }],
  ]
  for (const [what, other] of equal) {
    it(`does not change with ${what} [KO-13]`, () =>
      expect(fingerprintOf(other)).to.equal(fingerprintOf(JOB)))
  }

  const different: readonly (readonly [what: string, other: NewJob])[] = [
    ['the client', { ...JOB, owner: 'you' }],
    ['no client', without('owner')],
    ['the level', { ...JOB, level: 'patient' }],
    ['the group', { ...JOB, groupId: 'h' }],
    ['fewer types', { ...JOB, types: ['Patient'] }],
    ['types that look like one', { ...JOB, types: ['Condition,Patient'] }],
    ['since', { ...JOB, since: new Date('2024-01-01T00:00:00.001Z') }],
    ['no since', without('since')],
    ['before', { ...JOB, before: new Date('2024-06-02T00:00:00Z') }],
    [
      'since and before the other way round',
      { ...JOB, since: JOB.before as Date, before: JOB.since as Date },
    ],
    ['no before', without('before')],
    ['fewer filters', { ...JOB, filters: [{ type: 'Condition', query: 'code=c' }] }],
    ['the type of a filter', { ...JOB, filters: [{ type: 'Patient', query: 'code=c' }] }],
    ['no filters', without('filters')],
    ['fewer elements', { ...JOB, elements: { Condition: ['code'], Patient: ['name'] } }],
    ['elements of another type', { ...JOB, elements: { Condition: ['name'], Patient: ['code', 'onset'] } }],
    ['no elements', without('elements')],
    ['fewer patients', { ...JOB, patients: ['p1'] }],
    ['no patient', { ...JOB, patients: [] }],
    ['any patient', without('patients')],
    ['a container', { ...JOB, container: 'exports' }],
    ['the FHIR version', { ...JOB, base: 'https://fhir.example.org/4_0_1' }],
    ['whatever else narrows it', { ...JOB, ...{ somethingNew: { which: 'latest' } } }],
  ]
  for (const [what, other] of different) {
    it(`changes with ${what} [KO-13]`, () => expect(fingerprintOf(other)).not.to.equal(fingerprintOf(JOB)))
  }

  it('is another one for all of them', () => {
    const all = different.map(([, other]) => fingerprintOf(other))
    expect(new Set(all).size).to.equal(all.length)
  })
})
