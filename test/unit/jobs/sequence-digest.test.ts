import { expect } from 'chai'
import fc from 'fast-check'
import { SequenceDigest } from '../../../plugin/jobs/sequence-digest.js'

const digestOf = (ids: readonly string[]) => {
  const digest = new SequenceDigest()
  for (const id of ids) digest.add(id)
  return digest.value
}

describe('the digest of a sequence of ids', () => {
  it('is the same for the same ids in the same order, and for nothing else', () => {
    // Few short ids: the same ones, one within another and in other orders come up all the time.
    const ids = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '-', '1'), maxLength: 3 }), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        expect(digestOf(a) === digestOf(b)).to.equal(JSON.stringify(a) === JSON.stringify(b))
      }),
      { numRuns: 20_000 },
    )
  })

  it('shows any two that have changed places, and any one that is missing', () => {
    const ids = Array.from({ length: 300 }, (_, index) => `patient-${index}`)
    const seen = new Set([digestOf(ids)])
    let count = 1
    for (let first = 0; first < ids.length; first += 1) {
      seen.add(digestOf(ids.toSpliced(first, 1)))
      count += 1
      for (let second = first + 1; second < ids.length; second += 7) {
        const turned = ids.with(first, ids[second] as string).with(second, ids[first] as string)
        seen.add(digestOf(turned))
        count += 1
      }
    }
    expect(seen.size).to.equal(count)
  })
})
