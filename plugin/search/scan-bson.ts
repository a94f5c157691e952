/** Type bytes of BSON elements (bsonspec.org, version 1.1). */
export const BSON = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  regularExpression: 0x0b,
  pointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  codeWithScope: 0x0f,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
  decimal128: 0x13,
  maxKey: 0x7f,
  minKey: 0xff,
} as const

/** The shortest document: its length and its terminator. */
export const EMPTY_DOCUMENT = 5

/** For types whose values say their length themselves. */
const OWN_LENGTH = 0xff

/** How many bytes a value always has, by its type. Arrays and not maps, because each value of a document is looked up. */
const SIZES = new Uint8Array(256).fill(OWN_LENGTH)
for (const type of [BSON.undefined, BSON.null, BSON.minKey, BSON.maxKey]) SIZES[type] = 0
for (const type of [BSON.double, BSON.date, BSON.timestamp, BSON.int64]) SIZES[type] = 8
SIZES[BSON.boolean] = 1
SIZES[BSON.int32] = 4
SIZES[BSON.objectId] = 12
SIZES[BSON.decimal128] = 16

/** What a value has beside the bytes that its length counts. */
const BESIDE_LENGTH: ReadonlyMap<number, number> = new Map([
  [BSON.string, 4],
  [BSON.document, 0],
  [BSON.array, 0],
  [BSON.binary, 5],
  [BSON.pointer, 16],
  [BSON.code, 4],
  [BSON.symbol, 4],
  [BSON.codeWithScope, 0],
])

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(BSON).map(([name, type]) => [
    type,
    name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
  ]),
)

/** The name of a type for people, such as `regular expression`; `undefined` for a byte that is no type. */
export function typeName(type: number): string | undefined {
  return NAMES.get(type)
}

/** The length that stands in these four bytes; it may be negative when they are corrupt. */
export function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/**
 * Where the document or array at `at` has its terminator.
 *
 * @param limit where the terminator of the document around it stands
 * @returns -1 when its length or its terminator cannot be right
 */
export function endOfDocument(bytes: Uint8Array, at: number, limit: number): number {
  if (limit - at < EMPTY_DOCUMENT) return -1
  const length = lengthAt(bytes, at)
  if (length < EMPTY_DOCUMENT || length > limit - at) return -1
  const end = at + length - 1
  return bytes[end] === 0 ? end : -1
}

/**
 * Where the value at `at` ends, without looking into it: what is inside may still be corrupt.
 *
 * @param limit where the terminator of the document around it stands
 * @returns -1 when the value does not end at or before `limit`, or its type is unknown
 */
export function endOfValue(bytes: Uint8Array, type: number, at: number, limit: number): number {
  const size = SIZES[type] as number
  const end = size === OWN_LENGTH ? claimedEnd(bytes, type, at, limit) : at + size
  return end >= at && end <= limit ? end : -1
}

function claimedEnd(bytes: Uint8Array, type: number, at: number, limit: number): number {
  if (type === BSON.regularExpression) return endOfName(bytes, endOfName(bytes, at) + 1) + 1
  const beside = BESIDE_LENGTH.get(type)
  if (beside === undefined || limit - at < 4) return -1
  const length = lengthAt(bytes, at)
  return length < 0 ? -1 : at + length + beside
}

/** Where the zero byte after a name stands; the end of the bytes when there is none. */
export function endOfName(bytes: Uint8Array, at: number): number {
  let end = at
  while (end < bytes.length && bytes[end] !== 0) end++
  return end
}

/**
 * Finds a field of the document at `at`.
 *
 * @param name as it stands in the document, with its zero byte
 * @returns where its value begins, with its type before its name; -1 when there is none, or the way to it is corrupt
 */
export function findField(bytes: Uint8Array, at: number, end: number, name: Uint8Array): number {
  for (let next = at + 4; next < end; ) {
    const type = bytes[next] as number
    const value = endOfName(bytes, next + 1) + 1
    if (isName(bytes, next + 1, value, name)) return endOfValue(bytes, type, value, end) === -1 ? -1 : value
    next = endOfValue(bytes, type, value, end)
    if (next === -1) return -1
  }
  return -1
}

/** Whether the bytes from `from` up to `to` are this name, with its zero byte. */
export function isName(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false
  for (let index = 0; index < name.length; index++) if (bytes[from + index] !== name[index]) return false
  return true
}

/** Whether the bytes are those of one document as far as its own length and its terminator say. */
export function isFramed(bytes: Uint8Array): boolean {
  const end = endOfDocument(bytes, 0, bytes.length)
  return end !== -1 && end === bytes.length - 1
}
