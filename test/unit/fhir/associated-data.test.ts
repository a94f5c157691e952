import { expect } from 'chai'
import fc from 'fast-check'
import { parseAssociatedData } from '../../../plugin/fhir/associated-data.js'
import { Findings } from '../../../plugin/fhir/findings.js'

const LATEST = 'LatestProvenanceResources'
const RELEVANT = 'RelevantProvenanceResources'

describe('parseAssociatedData', () => {
  it('takes of any values the one that gives more, and tells of each that it does not know', () => {
    const one = fc.constantFrom(LATEST, RELEVANT, '_own', 'latestProvenanceResources', ' ', '')
    fc.assert(
      fc.property(fc.array(fc.array(one, { minLength: 1, maxLength: 4 }), { maxLength: 4 }), (lists) => {
        const findings = new Findings(true)
        const values = lists.map((list) => list.join(' ,'))
        const choice = parseAssociatedData(values, { hasProvenance: true, findings })
        const all = lists.flat()
        const latest = all.includes(LATEST) ? 'latest' : undefined
        expect(choice).to.equal(all.includes(RELEVANT) ? 'relevant' : latest)
        const unknown = all.filter((value) => /^_own$|^latest/.test(value)).length
        const isEmpty = lists.length > 0 && all.every((value) => value.trim() === '')
        expect(findings.ignored).to.have.length(isEmpty ? 1 : unknown)
      }),
    )
  })

  it('is nothing when the parameter is not there, and says nothing', () => {
    const findings = new Findings(false)
    expect(parseAssociatedData([], { hasProvenance: false, findings })).to.equal(undefined)
    findings.throwFaults()
  })

  it('does not repeat a long value as a whole', () => {
    const findings = new Findings(true)
    parseAssociatedData(['x'.repeat(5000)], { hasProvenance: true, findings })
    expect(findings.ignored.map(({ diagnostics }) => diagnostics.length < 300)).to.deep.equal([true])
  })
})
