const BIAS = 6176
const MOST = 10n ** 34n - 1n
/** From this adjusted exponent on, digits stand without an exponent. */
const LEAST_PLAIN = -6

/**
 * A Decimal128 (IEEE 754-2008, binary integer significand) as a JSON number with all of its digits, so that `1.50` does
 * not become `1.5`: FHIR decimals keep their precision. Written as the specification of the type writes it ("to
 * scientific string"): without an exponent where there is no need of one.
 *
 * @param view little-endian, as BSON has it
 * @returns `undefined` for NaN and the infinities, and for the bit patterns that are no number by the specification
 */
export function decimalText(view: DataView, at: number): string | undefined {
  const top = view.getUint32(at + 12, true)
  // A significand of this form is above the largest of 34 digits; NaN and the infinities have it too.
  if (((top >>> 29) & 3) === 3) return undefined
  const digits = significand(view, at, top)
  if (digits === undefined) return undefined
  const sign = top >>> 31 === 1 ? '-' : ''
  return sign + withExponent(digits, ((top >>> 17) & 0x3fff) - BIAS)
}

/** Most are small, and a number is written much faster than a bigint. */
function significand(view: DataView, at: number, top: number): string | undefined {
  const upper = view.getUint32(at + 4, true)
  const isSmall = upper < 0x20_0000 && view.getUint32(at + 8, true) === 0 && (top & 0x1_ffff) === 0
  if (isSmall) return String(upper * 0x1_0000_0000 + view.getUint32(at, true))
  const high = view.getBigUint64(at + 8, true) & 0x1_ffff_ffff_ffffn
  const value = (high << 64n) | view.getBigUint64(at, true)
  return value > MOST ? undefined : String(value)
}

function withExponent(digits: string, exponent: number): string {
  if (exponent === 0) return digits
  const adjusted = exponent + digits.length - 1
  if (exponent > 0 || adjusted < LEAST_PLAIN) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    return `${digits[0]}${fraction}E${adjusted > 0 ? '+' : ''}${adjusted}`
  }
  const point = digits.length + exponent
  return point > 0 ? `${digits.slice(0, point)}.${digits.slice(point)}` : `0.${'0'.repeat(-point)}${digits}`
}
