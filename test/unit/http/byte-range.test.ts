import { expect } from 'chai'
import fc from 'fast-check'
import { sliceOf } from '../../../plugin/http/byte-range.js'

describe('sliceOf', () => {
  const slice = (start: number, end: number) => ({ start, end })
  const cases: readonly [string, number, ReturnType<typeof sliceOf>][] = [
    ['bytes=0-0', 10, slice(0, 0)],
    ['bytes=2-5', 10, slice(2, 5)],
    ['bytes=2-', 10, slice(2, 9)],
    ['bytes=9-', 10, slice(9, 9)],
    ['bytes=5-5000', 10, slice(5, 9)],
    ['bytes=-3', 10, slice(7, 9)],
    ['bytes=-10', 10, slice(0, 9)],
    ['bytes=-11', 10, slice(0, 9)],
    ['Bytes= 2-5\t', 10, slice(2, 5)],
    ['bytes=002-005', 10, slice(2, 5)],
    [`bytes=3-${'9'.repeat(400)}`, 10, slice(3, 9)],
    [`bytes=-${'9'.repeat(400)}`, 10, slice(0, 9)],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=10-20', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 10, 'unsatisfiable'],
  ]
  for (const [header, size, expected] of cases) {
    it(`finds ${JSON.stringify(expected)} in "${header.slice(0, 20)}" of ${size} bytes`, () => {
      expect(sliceOf(header, size)).to.deep.equal(expected)
    })
  }

  const ignored = [
    ...['', 'bytes', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,4-5', 'bytes=0-1, 4-5', 'lines=0-1'],
    ...['bytes=a-b', 'bytes=1-b', 'bytes=0x1-5', 'bytes=+1-5', 'bytes=1.5-2', 'bytes=--5', 'bytes=1-2-3'],
  ]
  for (const header of ignored) {
    it(`finds nothing in "${header}"`, () => expect(sliceOf(header, 10)).to.equal(undefined))
  }

  it('gives only slices within the file, whatever it is asked', () => {
    const number = fc.option(fc.nat(30), { nil: '' })
    fc.assert(
      fc.property(number, number, fc.nat(20), (first, last, size) => {
        const found = sliceOf(`bytes=${first}-${last}`, size)
        if (typeof found !== 'object') return true
        return found.start >= 0 && found.start <= found.end && found.end < size
      }),
    )
  })
})
