import { BSON, endOfName, typeName } from './scan-bson.js'

/**
 * Why a document did not become a line:
 * - `corrupt`: its lengths, terminators or type bytes contradict each other
 * - `type`: a BSON type that FHIR JSON has nothing for, such as Binary, or a DBRef
 * - `number`: NaN, an infinity, or a Decimal128 that is no number
 * - `date`: a Date that is no FHIR instant, because its year is not one of 0001 to 9999
 * - `text`: a string that is not UTF-8
 * - `depth`: documents in documents beyond `DEEPEST`
 */
export type ScanProblemKind = 'corrupt' | 'type' | 'number' | 'date' | 'text' | 'depth'

/** The kinds that a single value can have. */
export type ValueProblemKind = Exclude<ScanProblemKind, 'corrupt'>

export interface ScanProblem {
  readonly kind: ScanProblemKind
  /**
   * The field, such as `contact[0].name`; what is no name of a FHIR element is a `?` in it. Not there for a corrupt document,
   * whose names may be anything.
   */
  readonly path?: string
  /** For the person who reads it. Tells what is wrong and where, and never a value. */
  readonly message: string
}

/** Levels of documents and arrays that are followed; MongoDB itself takes no more than 100 from a client. */
export const DEEPEST = 200

/** The elements on the way to a problem, from the outermost to the one that is meant. */
export interface ScanPlace {
  /** Where the name of each element begins. */
  readonly names: Int32Array
  /** For each of them 1 if it stands in an array. */
  readonly arrays: Uint8Array
}

/** The problem of a document whose bytes contradict each other at this offset. */
export function corruption(at: number): ScanProblem {
  return { kind: 'corrupt', message: `The stored document is not valid BSON, at byte ${at}.` }
}

/** The problem with a value of this type at this place; for an unknown type byte the document is corrupt. */
export function problemWith(
  bytes: Uint8Array,
  kind: ValueProblemKind,
  type: number,
  place: ScanPlace,
): ScanProblem {
  const name = typeName(type)
  if (name === undefined) return corruption(place.names.at(-1) ?? 0)
  const path = pathOf(bytes, place)
  return { kind, path, message: `${path} ${complaint(kind, type, name)}.` }
}

const WITHOUT_JSON: ReadonlySet<number> = new Set([
  BSON.binary,
  BSON.regularExpression,
  BSON.pointer,
  BSON.code,
  BSON.symbol,
  BSON.codeWithScope,
  BSON.timestamp,
  BSON.maxKey,
  BSON.minKey,
])

function complaint(kind: ValueProblemKind, type: number, name: string): string {
  switch (kind) {
    case 'type':
      return WITHOUT_JSON.has(type)
        ? `is stored as BSON ${name}, for which FHIR JSON has nothing`
        : 'is not what a resource has in this place'
    case 'number':
      return 'is stored as a number that JSON does not have, such as NaN or infinity'
    case 'date':
      return 'is stored as a Date that no FHIR instant can be, which has a year of 0001 to 9999'
    case 'text':
      return 'is text that is not valid UTF-8'
    case 'depth':
      return `lies deeper than ${DEEPEST} levels`
  }
}

const ELEMENT = /^_?[A-Za-z][A-Za-z0-9]{0,63}$/
const INDEX = /^\d{1,8}$/

function pathOf(bytes: Uint8Array, { names, arrays }: ScanPlace): string {
  return Array.from(names, (at, level) => {
    const name = Buffer.from(bytes.subarray(at, endOfName(bytes, at))).toString('latin1')
    if (arrays[level] === 1) return INDEX.test(name) ? `[${name}]` : '[?]'
    return `${level === 0 ? '' : '.'}${ELEMENT.test(name) ? name : '?'}`
  }).join('')
}
