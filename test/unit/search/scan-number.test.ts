import { expect } from 'chai'
import { BSON } from 'mongodb'
import { writeInstant } from '../../../plugin/search/scan-date.js'
import { decimalText } from '../../../plugin/search/scan-decimal.js'
import { writeDouble, writeInt32, writeInt64 } from '../../../plugin/search/scan-number.js'
import { RandomDocuments } from './scan-documents.js'

const out = Buffer.alloc(64)
const random = new RandomDocuments(51)
const word = () => random.below(2 ** 32) >> random.below(32)

function same(end: number, expected: string): void {
  const text = out.toString('latin1', 1, end)
  if (text !== expected) expect(text).to.equal(expected)
}

describe('numbers of the scan', () => {
  it('are int32 with their digits', () => {
    const edges = Array.from({ length: 10 }, (_, power) => [
      10 ** power - 1,
      10 ** power,
      10 ** power + 1,
    ]).flat()
    for (const value of [...edges, 2 ** 31 - 1, -(2 ** 31)]) {
      same(writeInt32(out, 1, value), String(value))
      if (value > 0) same(writeInt32(out, 1, -value), String(-value))
    }
    for (let count = 0; count < 100_000; count++) {
      const value = word()
      same(writeInt32(out, 1, value), String(value))
    }
  })

  it('are int64 with all of their digits', () => {
    for (let count = 0; count < 100_000; count++) {
      const [low, high] = [word(), word()]
      same(writeInt64(out, 1, low, high), String((BigInt(high) << 32n) | BigInt(low >>> 0)))
    }
  })

  it('are doubles with the digits of JavaScript', () => {
    for (let scaled = -2_100_000; scaled < 2_100_000; scaled += 7) {
      for (const value of [scaled / 10_000, scaled / 100_000, scaled / 10]) {
        same(writeDouble(out, 1, value), JSON.stringify(value))
      }
    }
    const bits = new DataView(new ArrayBuffer(8))
    for (let count = 0; count < 200_000; count++) {
      bits.setInt32(0, word())
      bits.setInt32(4, random.below(2 ** 32))
      // Neighbours of short decimals, too, which have many digits.
      if (count % 2 === 0) bits.setFloat64(0, random.below(2_000_000) / 10 ** random.below(6))
      if (count % 4 === 0) bits.setBigUint64(0, bits.getBigUint64(0) + BigInt(1 + random.below(3)))
      const value = bits.getFloat64(0)
      if (Number.isFinite(value)) same(writeDouble(out, 1, value), JSON.stringify(value))
    }
  })

  it('are Decimal128 as their specification writes them', () => {
    const view = new DataView(new ArrayBuffer(20))
    for (let count = 0; count < 50_000; count++) {
      const digits = Array.from({ length: 1 + random.below(34) }, () => random.below(10)).join('')
      const decimal = BSON.Decimal128.fromString(
        `${random.below(2) ? '-' : ''}${digits}E${random.below(80) - 45}`,
      )
      for (const [at, byte] of decimal.bytes.entries()) view.setUint8(3 + at, byte)
      const text = decimalText(view, 3)
      if (text !== decimal.toString()) expect(text).to.equal(decimal.toString())
      JSON.parse(text as string)
    }
  })

  it('are every day of the calendar, and random times', () => {
    for (let day = -719_162; day < 2_932_896; day += 11) {
      const time = day * 86_400_000 + random.below(86_400_000)
      writeInstant(out, 1, time)
      same(27, JSON.stringify(new Date(time)))
    }
  })
})
