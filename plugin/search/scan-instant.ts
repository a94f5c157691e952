import { parseInstant } from '../fhir/instant.js'

const ZERO = 0x30
const DASH = 0x2d
const PLUS = 0x2b
const COLON = 0x3a
const POINT = 0x2e
const ZULU = 0x5a
const MINUTE = 60_000
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** `2024-01-01T00:00:00` */
const TO_THE_SECOND = 19

/**
 * The time of a FHIR instant, as `parseInstant` reads it from the text, without making one for the usual forms.
 *
 * @param to where the text ends
 * @returns milliseconds since 1970; NaN for what is no instant
 */
export function readInstant(bytes: Uint8Array, from: number, to: number): number {
  const time = usualInstant(bytes, from, to)
  if (!Number.isNaN(time)) return time
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString()
  return parseInstant(text)?.getTime() ?? Number.NaN
}

/** NaN also for instants that are written in a way seldom seen, such as leap seconds. */
function usualInstant(bytes: Uint8Array, from: number, to: number): number {
  if (to - from <= TO_THE_SECOND) return Number.NaN
  const day = readDay(bytes, from)
  const hour = readTwo(bytes, from + 11)
  const minute = readTwo(bytes, from + 14)
  const second = readTwo(bytes, from + 17)
  const isTime =
    bytes[from + 10] === 0x54 &&
    bytes[from + 13] === COLON &&
    bytes[from + 16] === COLON &&
    hour < 24 &&
    minute < 60 &&
    second < 60
  // What is not a digit has made one of them NaN.
  if (!isTime) return Number.NaN
  let next = from + TO_THE_SECOND
  let milliseconds = 0
  if (bytes[next] === POINT) {
    let worth = 100
    const first = ++next
    for (; next < to && isDigit(bytes[next] as number); next++) {
      milliseconds += worth * ((bytes[next] as number) - ZERO)
      // Finer digits count nothing: they are cut off.
      worth = (worth / 10) | 0
    }
    if (next === first) return Number.NaN
  }
  const offset = readOffset(bytes, next, to)
  return ((day * 24 + hour) * 60 + minute - offset) * MINUTE + second * 1000 + milliseconds
}

/** Days from 1970 to the date at the beginning. */
function readDay(bytes: Uint8Array, at: number): number {
  const year = readTwo(bytes, at) * 100 + readTwo(bytes, at + 2)
  const month = readTwo(bytes, at + 5)
  const day = readTwo(bytes, at + 8)
  if (bytes[at + 4] !== DASH || bytes[at + 7] !== DASH) return Number.NaN
  if (!(year > 0 && month > 0 && month <= 12 && day > 0)) return Number.NaN
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const leapDay = isLeapYear && month === 2 ? 1 : 0
  if (day > (DAYS_OF_MONTH[month - 1] as number) + leapDay) return Number.NaN
  const past = year - 1
  const leapDays =
    ((past / 4) | 0) - ((past / 100) | 0) + ((past / 400) | 0) + (isLeapYear && month > 2 ? 1 : 0)
  return past * 365 + leapDays + (DAYS_BEFORE_MONTH[month - 1] as number) + day - 1 - DAYS_TO_1970
}

/** Days from 0001-01-01 to 1970-01-01. */
const DAYS_TO_1970 = 719_162

/** Minutes that local time is ahead, from the time zone that must be all that is left. */
function readOffset(bytes: Uint8Array, at: number, to: number): number {
  const sign = bytes[at]
  if (sign === ZULU && at + 1 === to) return 0
  if ((sign !== PLUS && sign !== DASH) || at + 6 !== to || bytes[at + 3] !== COLON) return Number.NaN
  const hours = readTwo(bytes, at + 1)
  const minutes = readTwo(bytes, at + 4)
  const total = hours * 60 + minutes
  if (!(minutes < 60 && total <= 14 * 60)) return Number.NaN
  return sign === PLUS ? total : -total
}

function readTwo(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] as number
  const ones = bytes[at + 1] as number
  return isDigit(tens) && isDigit(ones) ? (tens - ZERO) * 10 + ones - ZERO : Number.NaN
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9
}
