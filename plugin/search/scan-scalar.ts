import { BSON } from './scan-bson.js'
import { EARLIEST_INSTANT, INSTANT_LENGTH, LATEST_INSTANT, writeInstant } from './scan-date.js'
import { decimalText } from './scan-decimal.js'
import { writeDouble, writeInt32, writeInt64, writeLatin } from './scan-number.js'
import type { ValueProblemKind } from './scan-problem.js'

const QUOTE = 0x22
const HEX = Buffer.from('0123456789abcdef')
const OBJECT_ID_LENGTH = 12

// What `writeScalar` returns instead of an end.
const NO_SUCH_TYPE = -1
const NO_NUMBER = -2
const NO_INSTANT = -3

/** The kinds of problems, by the negative numbers that `writeScalar` returns. */
export const PROBLEMS: Readonly<Record<number, ValueProblemKind>> = {
  [NO_SUCH_TYPE]: 'type',
  [NO_NUMBER]: 'number',
  [NO_INSTANT]: 'date',
}

/**
 * Writes a value that is neither text nor boolean and has nothing in it. There is room for at least 64 bytes, and the value
 * is all there.
 *
 * @returns where it ends, or a number of `PROBLEMS`
 */
export function writeScalar(view: DataView, type: number, at: number, out: Uint8Array, end: number): number {
  switch (type) {
    case BSON.int32:
      return writeInt32(out, end, view.getInt32(at, true))
    case BSON.double: {
      const value = view.getFloat64(at, true)
      return Number.isFinite(value) ? writeDouble(out, end, value) : NO_NUMBER
    }
    case BSON.int64:
      return writeInt64(out, end, view.getInt32(at, true), view.getInt32(at + 4, true))
    case BSON.date: {
      const time = timeAt(view, at)
      if (time < EARLIEST_INSTANT || time > LATEST_INSTANT) return NO_INSTANT
      writeInstant(out, end, time)
      return end + INSTANT_LENGTH
    }
    case BSON.decimal128: {
      const text = decimalText(view, at)
      return text === undefined ? NO_NUMBER : writeLatin(out, end, text)
    }
    case BSON.null:
    case BSON.undefined:
      return writeLatin(out, end, 'null')
    case BSON.objectId:
      return writeObjectId(view, at, out, end)
    default:
      return NO_SUCH_TYPE
  }
}

/** Milliseconds since 1970; not exact beyond 2^53, where no `Date` is any more. */
export function timeAt(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

function writeObjectId(view: DataView, at: number, out: Uint8Array, position: number): number {
  let end = position
  out[end++] = QUOTE
  for (let index = 0; index < OBJECT_ID_LENGTH; index++) {
    const byte = view.getUint8(at + index)
    out[end++] = HEX[byte >> 4] as number
    out[end++] = HEX[byte & 15] as number
  }
  out[end++] = QUOTE
  return end
}
