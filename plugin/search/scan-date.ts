const DAY = 86_400_000
const ZERO = 0x30
const DASH = 0x2d
const COLON = 0x3a
const QUOTE = 0x22
/** Days from 0000-03-01, with which a cycle of leap years begins, to 1970-01-01. */
const EPOCH = 719_468
const DAYS_PER_ERA = 146_097

/** 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: years of a FHIR instant have four digits and are not 0000. */
export const EARLIEST_INSTANT = -62_135_596_800_000
export const LATEST_INSTANT = 253_402_300_799_999

/** How many bytes `writeInstant` writes: the instant between quotes. */
export const INSTANT_LENGTH = 26

/**
 * Writes a time between `EARLIEST_INSTANT` and `LATEST_INSTANT` as a JSON string in UTC with milliseconds, which is what
 * `Date.prototype.toJSON` gives.
 *
 * @param time whole milliseconds since 1970
 */
export function writeInstant(out: Uint8Array, at: number, time: number): void {
  const days = Math.floor(time / DAY)
  const rest = (time - days * DAY) | 0
  writeDay(out, at + 1, days | 0)
  const seconds = (rest / 1000) | 0
  const minutes = (seconds / 60) | 0
  const hours = (minutes / 60) | 0
  const fraction = rest - seconds * 1000
  out[at] = QUOTE
  out[at + 11] = 0x54 // T
  writeTwo(out, at + 12, hours)
  out[at + 14] = COLON
  writeTwo(out, at + 15, minutes - hours * 60)
  out[at + 17] = COLON
  writeTwo(out, at + 18, seconds - minutes * 60)
  out[at + 20] = 0x2e // .
  const tens = (fraction / 10) | 0
  writeTwo(out, at + 21, tens)
  out[at + 23] = ZERO + (fraction - tens * 10)
  out[at + 24] = 0x5a // Z
  out[at + 25] = QUOTE
}

/** Days since 1970 to a date of the proleptic Gregorian calendar, by eras of 400 years with March first. */
function writeDay(out: Uint8Array, at: number, days: number): void {
  const shifted = days + EPOCH
  const era = (shifted / DAYS_PER_ERA) | 0
  const dayOfEra = shifted - era * DAYS_PER_ERA
  const leaps = ((dayOfEra / 1460) | 0) - ((dayOfEra / 36_524) | 0) + ((dayOfEra / 146_096) | 0)
  const yearOfEra = ((dayOfEra - leaps) / 365) | 0
  const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0))
  const marchMonth = ((5 * dayOfYear + 2) / 153) | 0
  const day = dayOfYear - (((153 * marchMonth + 2) / 5) | 0) + 1
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const century = (year / 100) | 0
  writeTwo(out, at, century)
  writeTwo(out, at + 2, year - century * 100)
  out[at + 4] = DASH
  writeTwo(out, at + 5, month)
  out[at + 7] = DASH
  writeTwo(out, at + 8, day)
}

function writeTwo(out: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0
  out[at] = ZERO + tens
  out[at + 1] = ZERO + (value - tens * 10)
}
