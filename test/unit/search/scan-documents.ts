import { BSON } from 'mongodb'

const { Binary, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } = BSON

/** A document as a driver stores it. */
export type Stored = Record<string, unknown>

/** The same bytes as a cursor hands them out: a part of a larger buffer, at any offset, with other bytes around. */
export function stored(document: Stored, offset = 3): Buffer {
  const bytes = BSON.serialize(document)
  const around = Buffer.alloc(offset + bytes.length + 5, 0x22)
  around.set(bytes, offset)
  return around.subarray(offset, offset + bytes.length)
}

/**
 * The line by the rules that are documented, by the way that makes objects: what the driver reads, through JSON.stringify.
 *
 * @throws what the driver throws
 */
export function lineByObjects(
  bytes: Uint8Array,
  shape: (document: Stored) => Stored = (same) => same,
): string {
  const { _id, __v, ...document } = BSON.deserialize(bytes, { promoteLongs: false })
  const text = JSON.stringify(shape(withoutNulls(document) as Stored))
  return `${text.replaceAll(/"<<number (.*?)>>"/g, '$1')}\n`
}

/** Fields that are null left out, and numbers that JavaScript has not as marked text. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const type = (value as { _bsontype?: unknown })._bsontype
  if (type === 'Long' || type === 'Decimal128') return `<<number ${value}>>`
  if (type !== undefined) return value
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutNulls(field)]))
}

/** Values that FHIR JSON has nothing for, by the kind of problem. */
export const UNFIT: ReadonlyArray<readonly [kind: string, name: string, make: () => unknown]> = [
  ['type', 'Binary', () => new Binary(Buffer.from('secret'))],
  ['type', 'UUID', () => new BSON.UUID()],
  ['type', 'regular expression', () => /secret/i],
  ['type', 'code', () => new Code('secret')],
  ['type', 'code with scope', () => new Code('secret', { secret: 1 })],
  ['type', 'symbol', () => new BSON.BSONSymbol('secret')],
  ['type', 'timestamp', () => new Timestamp({ t: 1, i: 2 })],
  ['type', 'min key', () => new MinKey()],
  ['type', 'max key', () => new MaxKey()],
  ['type', 'DBRef', () => new BSON.DBRef('secret', new ObjectId())],
  ['number', 'NaN', () => Number.NaN],
  ['number', 'infinity', () => Number.POSITIVE_INFINITY],
  ['number', 'minus infinity', () => Number.NEGATIVE_INFINITY],
  ['number', 'decimal NaN', () => Decimal128.fromString('NaN')],
  ['number', 'decimal infinity', () => Decimal128.fromString('Infinity')],
  ['number', 'decimal minus infinity', () => Decimal128.fromString('-Infinity')],
  ['date', 'year 10000', () => new Date(253_402_300_800_000)],
  ['date', 'year 0', () => new Date(-62_135_596_800_001)],
  ['date', 'last Date', () => new Date(8.64e15)],
]

const PIECES = [
  'a',
  'Ab',
  'mm[Hg]',
  'urn:uuid:',
  '<div xmlns="http://www.w3.org/1999/xhtml">',
  '"',
  '\\',
  '/',
  '\n',
  '\r\n',
  '\t',
  '\b',
  '\f',
  '\0',
  '\u0001',
  '\u001f',
  '\u007f',
  '\u0080',
  'é',
  'ß',
  '\u07ff',
  '\u0800',
  '\u2028',
  '\u2029',
  '中文',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '😀',
  '\u{10ffff}',
  '\ud800',
  '\udc00',
  '\udbff\ud800',
  ' ',
  '!',
  '#',
  '[',
  ']',
  '~',
  '{}',
]
const DOUBLES = [
  -0,
  0,
  0.1,
  0.1 + 0.2,
  1e21,
  1e-6,
  1e-7,
  123456789012345680000,
  5e-324,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  2 ** 53,
  2 ** 31,
  -(2 ** 31),
  2 ** 31 - 1,
  199_999.9999,
  200_000.0001,
  214_748.3648,
  0.0001,
  0.00005,
  0.99995,
  1.00005,
  1 / 3,
  37.5,
  -71.0589,
  4294967296.5,
  1.7976931348623157e308,
  2.2250738585072014e-308,
  9007199254740992,
  0.30000000000000004,
]
const DECIMALS = [
  '0',
  '-0',
  '0.00',
  '-0.0',
  '1.50',
  '1E+3',
  '1E-6',
  '1E-7',
  '12E-8',
  '0E+3',
  '0E-7',
  '9999999999999999999999999999999999',
  '-9.999999999999999999999999999999999E+6144',
  '1E-6176',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993.1',
  '0.000001234567890123456789012345678901234',
  '100',
  '1234567890.123456789',
]
const LONGS = [
  0n,
  -1n,
  1n,
  2n ** 31n,
  -(2n ** 31n) - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]
const NAMES = [
  '',
  'a',
  'id',
  '_id',
  '__v',
  'meta',
  'tag',
  'a"b',
  'tab\tbed',
  'né',
  '😀',
  '__proto__',
  '$x',
  'valueString',
  '_value',
]

/** Documents of every shape and value that FHIR JSON can hold, and now and then beyond; the same for the same seed. */
export class RandomDocuments {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  next(): Stored {
    return this.#document(0)
  }

  /** Mulberry32. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit)
  }

  #document(depth: number): Stored {
    const fields: [string, unknown][] = []
    for (let count = this.below(7); count > 0; count--) fields.push([this.#name(count), this.#value(depth)])
    return Object.fromEntries(fields)
  }

  /** Never an integer, which an object would have in another place. */
  #name(number: number): string {
    if (this.below(3) === 0) return this.#one(NAMES)
    return `${'element'.slice(0, 1 + this.below(7))}${number}${this.below(20) === 0 ? this.text().replaceAll('\0', '') : ''}`
  }

  #value(depth: number): unknown {
    switch (this.below(depth > 5 ? 13 : 16)) {
      case 0:
        return new Int32(this.#int32())
      case 1:
        return new Double(this.#double())
      case 2:
        return Long.fromBigInt(
          this.below(2) ? this.#one(LONGS) : BigInt(this.#int32()) * BigInt(this.#int32()),
        )
      case 3:
        return Decimal128.fromString(this.#decimal())
      case 4:
        return this.below(2) === 0
      case 5:
        return null
      case 6:
        return new Date(
          Math.floor((this.below(2 ** 31) / 2 ** 31) * 315_537_897_600_000) - 62_135_596_800_000,
        )
      case 7:
        return this.below(40) === 0 ? new ObjectId() : this.#int32()
      case 13:
        return this.#document(depth + 1)
      case 14:
        return Array.from({ length: this.below(5) }, () => this.#value(depth + 1))
      default:
        return this.text()
    }
  }

  text(): string {
    if (this.below(2) === 0) return 'http://loinc.org/8302-2 Body Height'.slice(0, this.below(36))
    const length = this.below(500) === 0 ? 3000 : this.below(12)
    return Array.from({ length }, () => this.#one(PIECES)).join('')
  }

  #int32(): number {
    return (this.below(2 ** 32) | 0) >> this.below(32)
  }

  #double(): number {
    const kind = this.below(3)
    if (kind === 0) return this.#one(DOUBLES)
    if (kind === 1) return this.#int32() / 10 ** this.below(8)
    const bits = new DataView(new ArrayBuffer(8))
    bits.setUint32(0, this.below(2 ** 32))
    bits.setUint32(4, this.below(2 ** 32))
    const value = bits.getFloat64(0)
    return Number.isFinite(value) ? value : 0
  }

  #decimal(): string {
    if (this.below(3) === 0) return this.#one(DECIMALS)
    const digits = Array.from({ length: 1 + this.below(34) }, () => this.below(10)).join('')
    return `${this.below(2) ? '-' : ''}${digits}E${this.below(60) - 40}`
  }

  #one<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }
}
