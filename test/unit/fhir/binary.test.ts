import { expect } from 'chai'
import { isPatientContent } from '../../../plugin/fhir/binary.js'

describe('isPatientContent', () => {
  const strange = [undefined, null, 'Patient/p1', 5, [], {}, { reference: 5 }, { reference: 'Patient' }]
  for (const securityContext of strange) {
    it(`is false for securityContext ${JSON.stringify(securityContext)}`, () => {
      expect(isPatientContent({ resourceType: 'Binary', securityContext })).to.equal(false)
    })
  }
})
