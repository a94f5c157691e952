import { elementWith, type Filter } from './element-filter.js'
import { invalid } from './refusal.js'
import { unescaped } from './search-argument.js'
import type { Target } from './search-target.js'

/** How a string parameter compares: by default the start of the text, in any case and with any accents. */
export type StringModifier = 'exact' | 'contains' | undefined

/** The parts of complex elements that a string parameter looks at. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  HumanName: ['text', 'family', 'given', 'prefix', 'suffix'],
  Address: ['text', 'line', 'city', 'district', 'state', 'postalCode', 'country'],
  CodeableConcept: ['text'],
}

/** What a string parameter matches in one element; for names and addresses in any of its parts. */
export function matchString({ steps, kind }: Target, value: string, modifier: StringModifier): Filter[] {
  const text = unescaped(value)
  if (text.length > LONGEST_TEXT)
    throw invalid(`A text to search for has at most ${LONGEST_TEXT} characters.`)
  const test = modifier === 'exact' ? text : foldedPattern(text, modifier === 'contains' ? '' : '^')
  return (PARTS[kind] ?? ['']).map((part) => elementWith(steps, { [part]: test }))
}

/** In characters. MongoDB takes patterns of up to 32 kB, of which an `o` with its accents takes 177 B. */
const LONGEST_TEXT = 150

let accented: ReadonlyMap<string, string> | undefined

/** A pattern for text that is the same but for case and, in Latin letters, accents; `anchor` goes before it. */
function foldedPattern(text: string, anchor: string): RegExp {
  if (text.length > LONGEST_TEXT)
    throw invalid(`A text to search for has at most ${LONGEST_TEXT} characters.`)
  accented ??= accentedLetters()
  const pattern = [...text.normalize('NFC')].map((character) => {
    const letters = accented?.get(unaccented(character).toLowerCase())
    if (letters !== undefined) return `[${letters}]\\p{M}*`
    return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
  })
  return new RegExp(anchor + pattern.join(''), 'iu')
}

/** For each Latin letter `a`-`z` itself and the letters that are it with accents. */
function accentedLetters(): ReadonlyMap<string, string> {
  const letters = new Map([...'abcdefghijklmnopqrstuvwxyz'].map((letter) => [letter, letter]))
  const blocks = [
    [0x00c0, 0x024f],
    [0x1e00, 0x1eff],
  ] as const
  for (const [first, last] of blocks) {
    for (let code = first; code <= last; code++) {
      const letter = String.fromCodePoint(code)
      const base = unaccented(letter).toLowerCase()
      if (base !== letter.toLowerCase() && letters.has(base)) letters.set(base, letters.get(base) + letter)
    }
  }
  return letters
}

function unaccented(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '')
}
