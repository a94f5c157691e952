import { expect } from 'chai'
import fc from 'fast-check'
import { localReference } from '../../../plugin/fhir/reference.js'

const BASE = 'https://fhir.example.org/4_0_0'

describe('localReference', () => {
  const local: readonly [string, string, string][] = [
    ['Patient/1', 'Patient', '1'],
    ['Patient/a-B.9', 'Patient', 'a-B.9'],
    [`Patient/${'x'.repeat(64)}`, 'Patient', 'x'.repeat(64)],
    ['Patient/1/_history/2', 'Patient', '1'],
    [`${BASE}/Patient/1`, 'Patient', '1'],
    [`${BASE}/Patient/1/_history/2`, 'Patient', '1'],
    ['Observation/1', 'Observation', '1'],
  ]
  for (const [reference, type, id] of local) {
    it(`reads ${reference}`, () => {
      expect(localReference(reference, BASE)).to.deep.equal({ type, id })
    })
  }

  const others: readonly unknown[] = [
    undefined,
    null,
    7,
    { reference: 'Patient/1' },
    ['Patient/1'],
    '',
    'Patient',
    'Patient/',
    '/Patient/1',
    'Patient/1/',
    'Patient//1',
    'Patient/1/2',
    'Patient/1/_history',
    'Patient/1/_history/2/3',
    'Patient/_history',
    'patient/1',
    'P/1',
    `Patient/${'x'.repeat(65)}`,
    'Patient/1 ',
    ' Patient/1',
    'Patient/a_b',
    'Patient/ä',
    'Patient/1?x=y',
    'Patient/1#p',
    'Patient/1|2',
    '#p1',
    'urn:uuid:9b0a4bd2-6a1c-4f0c-9d5f-3d0c6b1f1c57',
    'Patient?identifier=x|1',
    'https://other.example.org/4_0_0/Patient/1',
    'http://fhir.example.org/4_0_0/Patient/1',
    'https://fhir.example.org/4_0_1/Patient/1',
    'https://fhir.example.org/4_0_0x/Patient/1',
    'https://fhir.example.org/4_0_0/x/Patient/1',
    `${BASE}/`,
    `${BASE}//Patient/1`,
    `${BASE}xPatient/1`,
    BASE,
  ]
  for (const reference of others) {
    it(`takes ${JSON.stringify(reference)} for none`, () => {
      expect(localReference(reference, BASE)).to.equal(undefined)
    })
  }

  it('finds the patient of every literal reference under its own base, and of none under another', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9\-.]{1,64}$/)
    const other = fc.webUrl().filter((url) => !url.startsWith(BASE))
    fc.assert(
      fc.property(id, other, fc.boolean(), (patient, foreign, isVersioned) => {
        const relative = `Patient/${patient}${isVersioned ? '/_history/1' : ''}`
        const expected = { type: 'Patient', id: patient }
        expect(localReference(relative, BASE)).to.deep.equal(expected)
        expect(localReference(`${BASE}/${relative}`, BASE)).to.deep.equal(expected)
        expect(localReference(`${foreign}/${relative}`, BASE)).to.equal(undefined)
      }),
    )
  })
})
