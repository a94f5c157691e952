import { expect } from 'chai'
import { partSizeFor, partsOf, partsUnderWay } from '../../plugin/storage/s3-parts.js'
import { MEGABYTE } from '../suites/generated-bytes.js'

const NUMBERS = Array.from({ length: 10_000 }, (_, index) => index + 1)
const largestFile = (first: number) => NUMBERS.reduce((sum, number) => sum + partSizeFor(number, first), 0)

describe('the parts of an S3 upload', () => {
  it('are enough for 240 GB, and with a larger first size for 5 TB', () => {
    expect(largestFile(8 * MEGABYTE)).to.be.above(240e9)
    expect(largestFile(550e6)).to.be.above(5 * 1024 ** 4)
  })

  it('are of one size up to 8 GB, as some servers want', () => {
    const sizes = new Set(NUMBERS.slice(0, 1000).map((number) => partSizeFor(number, 8 * MEGABYTE)))
    expect([...sizes]).to.deep.equal([8 * MEGABYTE])
  })

  it('never need 100 MB, the one that is filled and those under way twice, for their encryption', () => {
    for (const first of [5 * MEGABYTE, 8 * MEGABYTE, 16 * MEGABYTE, 28 * MEGABYTE]) {
      for (const number of NUMBERS) {
        const size = partSizeFor(number, first)
        expect((1 + 2 * partsUnderWay(size)) * size, `part ${number}`).to.be.below(100e6)
      }
    }
  })

  const cuts: readonly (readonly [string, readonly number[], readonly number[]])[] = [
    ['nothing', [], [0]],
    ['empty pieces', [0, 0], [0]],
    ['one byte', [1], [1]],
    ['a full part', [100_000], [100_000]],
    ['a full part in pieces', [30_000, 70_000, 0], [100_000]],
    ['a byte more', [100_000, 1], [100_000, 1]],
    ['a piece of several parts', [250_000], [100_000, 100_000, 50_000]],
    ['two full parts', [150_000, 50_000], [100_000, 100_000]],
  ]
  for (const [what, pieces, parts] of cuts) {
    it(`of ${what} are ${parts.join(' and ')} bytes`, async () => {
      const bytes = Buffer.from(
        Array.from({ length: pieces.reduce((a, b) => a + b, 0) }, (_, at) => at % 251),
      )
      const shared = Buffer.alloc(300_000)
      async function* source() {
        let position = 0
        for (const size of pieces) {
          // The same memory again, as a source may do.
          bytes.copy(shared, 0, position, position + size)
          yield shared.subarray(0, size)
          position += size
        }
      }
      const found: Buffer[] = []
      const isLast: boolean[] = []
      for await (const part of partsOf(source(), 100_000)) {
        expect(part.number).to.equal(found.length + 1)
        found.push(Buffer.from(part.bytes))
        isLast.push(part.isLast)
        part.release()
      }
      expect(found.map(({ length }) => length)).to.deep.equal(parts)
      expect(isLast).to.deep.equal(parts.map((_, index) => index === parts.length - 1))
      expect(Buffer.concat(found).equals(bytes)).to.equal(true)
    })
  }

  it('that are not released stay as they are', async () => {
    const found: Uint8Array[] = []
    async function* source() {
      for (const letter of 'abcde') yield Buffer.alloc(100_000, letter)
    }
    for await (const { bytes } of partsOf(source(), 100_000)) found.push(bytes)
    expect(found.map((bytes) => String.fromCharCode(bytes[0] ?? 0, bytes[99_999] ?? 0))).to.deep.equal([
      'aa',
      'bb',
      'cc',
      'dd',
      'ee',
    ])
  })

  it('end with EFBIG when there would be too many', async () => {
    async function* source() {
      const piece = Buffer.alloc(1 << 20)
      for (;;) yield piece
    }
    let reason: unknown
    try {
      // Parts of one byte at first, which double up to 512 bytes.
      for await (const part of partsOf(source(), 1)) part.release()
    } catch (error) {
      reason = error
    }
    expect(reason).to.have.property('code', 'EFBIG')
  })
})
