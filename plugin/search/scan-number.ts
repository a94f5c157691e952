const ZERO = 0x30
const MINUS = 0x2d
const POINT = 0x2e
/** Four decimal places are what `writeDouble` tries without making a string. */
const SCALE = 10_000
/** Below this, a number times `SCALE` is an int32. */
const SMALL = 200_000

/**
 * Writes an int32 in decimal, at most 11 bytes.
 *
 * @returns where it ends
 */
export function writeInt32(out: Uint8Array, at: number, value: number): number {
  if (value >= 0) return writeUint32(out, at, value)
  out[at] = MINUS
  return writeUint32(out, at + 1, -value >>> 0)
}

function writeUint32(out: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    out[at] = ZERO + value
    return at + 1
  }
  const end = at + digitCount(value)
  let rest = value
  let place = end
  while (place > at) {
    const tenth = (rest / 10) >>> 0
    out[--place] = ZERO + (rest - tenth * 10)
    rest = tenth
  }
  return end
}

function digitCount(value: number): number {
  if (value < 10_000) return value < 100 ? 2 : value < 1000 ? 3 : 4
  if (value < 100_000_000) return value < 1_000_000 ? (value < 100_000 ? 5 : 6) : value < 10_000_000 ? 7 : 8
  return value < 1_000_000_000 ? 9 : 10
}

/**
 * Writes a finite double as JavaScript does (ECMA-262, Number::toString): the fewest digits that read back as the same
 * number, -0 as 0; at most 25 bytes.
 *
 * @returns where it ends
 */
export function writeDouble(out: Uint8Array, at: number, value: number): number {
  const whole = value | 0
  if (whole === value) return writeInt32(out, at, whole)
  const size = Math.abs(value)
  if (size < SMALL) {
    const scaled = (size * SCALE + 0.5) | 0
    // A decimal of up to 15 digits is the only one of up to 15 digits next to its double, and the quotient of two exact
    // numbers is the double next to it: if it is this one, these digits are the fewest.
    if (scaled / SCALE === size) return writeScaled(out, at, value < 0, scaled)
  }
  return writeLatin(out, at, String(value))
}

function writeScaled(out: Uint8Array, at: number, negative: boolean, scaled: number): number {
  let end = at
  if (negative) out[end++] = MINUS
  const whole = (scaled / SCALE) | 0
  end = writeUint32(out, end, whole)
  out[end++] = POINT
  let rest = scaled - whole * SCALE
  for (let place = SCALE / 10; rest > 0; place = (place / 10) | 0) {
    const digit = (rest / place) | 0
    out[end++] = ZERO + digit
    rest -= digit * place
  }
  return end
}

/**
 * Writes all digits of an int64, at most 20 bytes. JavaScript has no number for those beyond 2^53; the driver makes them
 * objects of their two halves.
 *
 * @param low the lower half, of either sign
 * @returns where it ends
 */
export function writeInt64(out: Uint8Array, at: number, low: number, high: number): number {
  if (high === low >> 31) return writeInt32(out, at, low)
  const value = high * 0x1_0000_0000 + (low >>> 0)
  if (Number.isSafeInteger(value)) return writeLatin(out, at, String(value))
  return writeLatin(out, at, String((BigInt(high) << 32n) | BigInt(low >>> 0)))
}

/**
 * Writes characters that are one byte each.
 *
 * @returns where they end
 */
export function writeLatin(out: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) out[at + index] = text.charCodeAt(index)
  return at + text.length
}
