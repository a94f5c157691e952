import { expect } from 'chai'
import fc from 'fast-check'
import { IdSet } from '../../../plugin/jobs/id-set.js'

describe('IdSet', () => {
  it('says of each id whether it is new, as a Set would', () => {
    const ids = fc.array(fc.oneof(fc.string(), fc.integer({ min: 0, max: 50 }).map(String)), {
      maxLength: 400,
    })
    fc.assert(
      fc.property(ids, (all) => {
        const met = new IdSet()
        const known = new Set<string>()
        for (const id of all) {
          expect(met.add(id), id).to.equal(!known.has(id))
          known.add(id)
        }
      }),
    )
  })

  it('still does when it has grown many times', () => {
    const met = new IdSet()
    for (let number = 0; number < 50_000; number++) expect(met.add(`id-${number}`)).to.equal(true)
    for (let number = 0; number < 50_000; number++) expect(met.add(`id-${number}`)).to.equal(false)
    expect(met.add('id-50000')).to.equal(true)
  })
})
