import { BSON, endOfDocument, endOfName, endOfValue, isName } from './scan-bson.js'
import { NdjsonBuffer } from './scan-buffer.js'
import type { FieldChoice } from './scan-fields.js'
import { corruption, DEEPEST, problemWith, type ScanProblem, type ValueProblemKind } from './scan-problem.js'
import { PROBLEMS, writeScalar } from './scan-scalar.js'
import { copyPlain, writeText } from './scan-text.js'

const QUOTE = 0x22
const COMMA = 0x2c
const DOLLAR = 0x24
const BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const E = 0x65
// Several characters at once, the last one first.
const QUOTE_COLON = 0x3a22
const QUOTE_COMMA = 0x2c22
const TRUE = 0x65757274
const FALS = 0x736c6166
/** The field by which the driver knows a DBRef. */
const REFERENCE = Buffer.from('$ref\0')

/** Instead of an offset: there is a problem. */
export const FAILED = -1
/** Nothing grows by more when nothing in it is escaped: a Date with an empty name goes from 10 bytes to 30. */
const GROWTH = 3
/** Room for the newline, for the tag of `_elements`, and for what copying by fours writes too much. */
const MARGIN = 512

/**
 * Writes documents within documents as JSON, from the bytes of one root document after another. Offsets go into the root
 * document (`start`, `at`) and into the buffer (`position`, and what is returned: where the text ends, or `FAILED`).
 */
export class DocumentWriter {
  from: Buffer = Buffer.alloc(0)
  problem: ScanProblem | undefined
  into = new NdjsonBuffer(0, 0)
  view: DataView = new DataView(new ArrayBuffer(0))
  // Of each open document: where it ends, whether it is an array, and where the name of its last element begins.
  readonly #ends = new Int32Array(DEEPEST + 1)
  readonly #arrays = new Uint8Array(DEEPEST + 1)
  readonly #names = new Int32Array(DEEPEST + 1)
  readonly #writeTagged: (type: number, at: number, position: number) => number

  /** @param writeTagged writes a field with the fate `tag`, its name included, and a comma after it */
  constructor(writeTagged: (type: number, at: number, position: number) => number) {
    this.#writeTagged = writeTagged
  }

  /** Begins with another root document, of which the frame has been checked, and makes room for its text. */
  begin(from: Buffer, into: NdjsonBuffer): void {
    this.from = from
    this.view = new DataView(from.buffer, from.byteOffset, from.length)
    this.into = into
    into.reserve(into.length + GROWTH * from.length + MARGIN)
  }

  /**
   * Writes the document at `start`, whose frame has been checked, from `position` on. One loop for all levels below it: a
   * call for each would cost more, and a corrupt document could overflow the stack. Each value brings its comma, and the
   * last comma becomes the closing bracket.
   */
  document(start: number, position: number, base: number, choice: FieldChoice): number {
    const { from, view, into } = this
    const [ends, arrays, names] = [this.#ends, this.#arrays, this.#names]
    const { doubtful } = choice
    let out = into.bytes
    let outView = into.view
    let end = position
    let depth = base
    let limit = start + view.getInt32(start, true) - 1
    let inArray = false
    let next = start + 4
    arrays[depth] = 0
    ends[depth] = limit
    out[end++] = BRACE
    for (;;) {
      const type = from[next++] as number
      if (type === 0) {
        if (next - 1 !== limit) return this.corrupt(next)
        const closing = inArray ? CLOSING_BRACKET : CLOSING_BRACE
        if (out[end - 1] === COMMA) out[end - 1] = closing
        else out[end++] = closing
        if (depth === base) return end
        out[end++] = COMMA
        depth--
        limit = ends[depth] as number
        inArray = arrays[depth] === 1
        continue
      }

      const name = next
      names[depth] = name
      if (inArray) {
        while (from[next] !== 0) next++
      } else if (type === BSON.null || type === BSON.undefined) {
        next = endOfName(from, next) + 1
        if (next > limit) return this.corrupt(name)
        continue
      } else {
        const first = from[next] as number
        if (depth === base && doubtful[first] === 1) {
          next = endOfName(from, name)
          const fate = choice.fateOf(from, name, next)
          const after = endOfValue(from, type, next + 1, limit)
          if (after === -1) return this.corrupt(name)
          if (fate === 'tag') end = this.#writeTagged(type, next + 1, end)
          if (end === FAILED) return FAILED
          if (fate !== 'write') {
            next = after
            out = into.bytes
            outView = into.view
            continue
          }
          next = name
        }
        if (first === DOLLAR && isName(from, name, name + REFERENCE.length, REFERENCE))
          return this.fail('type', BSON.pointer, Math.max(0, depth - 1))
        out[end] = QUOTE
        const plain = copyPlain(from, view, next, out, outView, end + 1)
        next += plain
        if (from[next] === 0) end += plain + 1
        else {
          next = endOfName(from, name)
          end = this.#escapedName(name, next, end)
          out = into.bytes
          outView = into.view
        }
        outView.setInt16(end, QUOTE_COLON, true)
        end += 2
      }
      next++
      if (next > limit) return this.corrupt(name)

      if (type === BSON.string) {
        if (limit - next < 5) return this.corrupt(name)
        const stop = next + view.getInt32(next, true) + 3
        next += 4
        if (stop < next || stop >= limit || from[stop] !== 0) return this.corrupt(name)
        out[end] = QUOTE
        const plain = copyPlain(from, view, next, out, outView, end + 1)
        next += plain
        end += plain + 1
        if (next !== stop) {
          end = writeText(from, view, next, stop, into, end, GROWTH * (from.length - stop) + MARGIN)
          if (end === FAILED) return this.fail('text', type, depth)
          out = into.bytes
          outView = into.view
        }
        outView.setInt16(end, QUOTE_COMMA, true)
        end += 2
        next = stop + 1
      } else if (type === BSON.document || type === BSON.array) {
        const inner = endOfDocument(from, next, limit)
        if (inner === -1) return this.corrupt(name)
        if (depth === DEEPEST) return this.fail('depth', type, depth)
        depth++
        limit = inner
        inArray = type === BSON.array
        ends[depth] = limit
        arrays[depth] = inArray ? 1 : 0
        out[end++] = inArray ? BRACKET : BRACE
        next += 4
      } else if (type === BSON.boolean) {
        const truth = from[next++]
        if (next > limit || (truth !== 0 && truth !== 1)) return this.corrupt(name)
        outView.setInt32(end, truth === 1 ? TRUE : FALS, true)
        end += 4
        if (truth === 0) out[end++] = E
        out[end++] = COMMA
      } else {
        const after = endOfValue(from, type, next, limit)
        if (after === -1) return this.corrupt(name)
        end = writeScalar(view, type, next, out, end)
        if (end < 0) return this.fail(PROBLEMS[end] as ValueProblemKind, type, depth)
        out[end++] = COMMA
        next = after
      }
    }
  }

  /** Notes that the document contradicts itself. */
  corrupt(at: number): typeof FAILED {
    this.problem = corruption(at)
    return FAILED
  }

  /** Notes a problem with the element that was entered last at this depth. */
  fail(kind: ValueProblemKind, type: number, depth: number): typeof FAILED {
    const place = { names: this.#names.subarray(0, depth + 1), arrays: this.#arrays }
    this.problem = problemWith(this.from, kind, type, place)
    return FAILED
  }

  /** Notes where an element stands that is not reached by `document`, for problems in it. */
  enter(depth: number, name: number, inArray: boolean): void {
    this.#names[depth] = name
    this.#arrays[depth] = inArray ? 1 : 0
  }

  /** A name as `JSON.stringify` writes it, without the quote after it. Bytes that are not UTF-8 are read as the driver does. */
  #escapedName(name: number, stop: number, position: number): number {
    const text = JSON.stringify(this.from.toString('utf8', name, stop))
    this.into.reserve(position + Buffer.byteLength(text) + GROWTH * (this.from.length - stop) + MARGIN)
    return position + this.into.bytes.write(text, position) - 1
  }
}
