import type { NdjsonBuffer } from './scan-buffer.js'

const BACKSLASH = 0x5c
const HEX = Buffer.from('0123456789abcdef')
/** How many bytes of text are written between two looks at the room that is left. */
const STRETCH = 4096
/** The longest form of one byte: a control character without a short escape. */
const LONGEST = 6

/** 1 for the bytes that stand in JSON text as they are: printable ASCII (and DEL) but the quote and the backslash. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== BACKSLASH ? 1 : 0,
)

/** The character after the backslash, for bytes with a short escape; else 0. */
const SHORT = new Uint8Array(256)
for (const [character, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr', '""', '\\\\']) {
  SHORT[(character as string).charCodeAt(0)] = (letter as string).charCodeAt(0)
}

/**
 * Copies plain characters up to the first byte that is none, four at a time; up to three bytes more than that may be
 * written behind them, so there must be room.
 *
 * @param from bytes with something that is not plain at or after `start`
 * @returns how many there were
 */
export function copyPlain(
  from: Uint8Array,
  view: DataView,
  start: number,
  out: Uint8Array,
  outView: DataView,
  at: number,
): number {
  const last = from.length - 4
  let next = start
  let end = at
  while (next <= last) {
    const word = view.getInt32(next, true)
    outView.setInt32(end, word, true)
    const special = notPlain(word)
    if (special !== 0) return next - start + ((31 - Math.clz32(special & -special)) >> 3)
    next += 4
    end += 4
  }
  for (let byte = from[next] as number; PLAIN[byte] === 1; byte = from[++next] as number) out[end++] = byte
  return next - start
}

/**
 * The high bit of each of the four bytes that is not plain. Subtracting sets it by a borrow where the byte is less than the
 * space, or is the quote or the backslash; where it was set before, one of the last two leaves it. A borrow may mark the
 * plain byte above as well, so only the lowest mark counts.
 */
function notPlain(word: number): number {
  const control = word - 0x2020_2020
  const quote = (word ^ 0x2222_2222) - 0x0101_0101
  const backslash = (word ^ 0x5c5c_5c5c) - 0x0101_0101
  return (control | quote | backslash) & 0x8080_8080
}

/**
 * Writes text that has more than plain characters, escaped as `JSON.stringify` does it.
 *
 * @param from UTF-8 with a zero byte at `stop`
 * @param view the same bytes
 * @param at where to write; `into.length` stays as it is
 * @param after room that must be left when all is written, in bytes
 * @returns where it ends; -1 when the bytes are no valid UTF-8 (an encoded lone surrogate is none)
 */
export function writeText(
  from: Uint8Array,
  view: DataView,
  start: number,
  stop: number,
  into: NdjsonBuffer,
  at: number,
  after: number,
): number {
  let end = at
  let next = start
  while (next < stop) {
    const until = Math.min(stop, next + STRETCH)
    into.reserve(end + (until - next + 3) * LONGEST + (stop - until) + after)
    const out = into.bytes
    while (next < until) {
      const byte = from[next] as number
      if (PLAIN[byte] === 1) {
        // May go past the stretch: for plain characters there is room up to the end of the text.
        const plain = copyPlain(from, view, next, out, into.view, end)
        next += plain
        end += plain
      } else if (byte < 0x80) {
        end = writeEscape(out, end, byte)
        next++
      } else {
        const size = characterSize(from, next, byte)
        if (size === 0) return -1
        for (const last = next + size; next < last; next++) out[end++] = from[next] as number
      }
    }
  }
  return end
}

function writeEscape(out: Uint8Array, at: number, byte: number): number {
  out[at] = BACKSLASH
  const short = SHORT[byte] as number
  if (short !== 0) {
    out[at + 1] = short
    return at + 2
  }
  out[at + 1] = 0x75 // u
  out[at + 2] = 0x30
  out[at + 3] = 0x30
  out[at + 4] = HEX[byte >> 4] as number
  out[at + 5] = HEX[byte & 15] as number
  return at + 6
}

/**
 * How many bytes the character has that begins here (Unicode, table 3-7: no overlong forms, no surrogates, nothing past
 * U+10FFFF); 0 when it is none. The zero byte after the text is no continuation, so nothing behind it is read.
 */
function characterSize(from: Uint8Array, at: number, lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 0
  const second = from[at + 1] as number
  if (lead < 0xe0) return isContinuation(second) ? 2 : 0
  if (lead < 0xf0) {
    if (second < (lead === 0xe0 ? 0xa0 : 0x80) || second > (lead === 0xed ? 0x9f : 0xbf)) return 0
    return isContinuation(from[at + 2] as number) ? 3 : 0
  }
  if (second < (lead === 0xf0 ? 0x90 : 0x80) || second > (lead === 0xf4 ? 0x8f : 0xbf)) return 0
  return isContinuation(from[at + 2] as number) && isContinuation(from[at + 3] as number) ? 4 : 0
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf
}
