import { BSON, endOfDocument, endOfName, endOfValue, findField, isName, lengthAt } from './scan-bson.js'
import { type DocumentWriter, FAILED } from './scan-document.js'
import { type AddedTag, allBut } from './scan-fields.js'
import { writeLatin } from './scan-number.js'

const COMMA = 0x2c
const BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const CLOSING_BRACKET = 0x5d

const TAG = Buffer.from('tag\0')
const SYSTEM = Buffer.from('system\0')
const CODE = Buffer.from('code\0')
const ALL = allBut([])
const ALL_BUT_TAG = allBut(['tag'])

/** Writes the `meta` of a resource with one more tag, after all others and not twice. */
export class TaggedMeta {
  readonly #writer: DocumentWriter
  readonly #json: string
  readonly #system: Buffer
  readonly #code: Buffer

  constructor(writer: DocumentWriter, tag: AddedTag) {
    this.#writer = writer
    this.#json = JSON.stringify(tag)
    this.#system = Buffer.from(`${tag.system}\0`)
    this.#code = Buffer.from(`${tag.code}\0`)
  }

  /** Adds a `meta` to the resource that has been written without one up to `position`. Returns where it ends then. */
  addTo(position: number): number {
    const { bytes } = this.#writer.into
    let end = writeLatin(bytes, reopened(bytes, position), '"meta":{')
    end = this.#closeTags(writeLatin(bytes, end, '"tag":['))
    bytes[end] = CLOSING_BRACE
    return end + 1
  }

  /** Writes the root field `meta` with the value at `at`, and a comma. Returns where it ends, or `FAILED`. */
  write(type: number, at: number, position: number): number {
    const writer = this.#writer
    if (type !== BSON.document) return writer.fail('type', type, 0)
    const stop = endOfDocument(writer.from, at, writer.from.length - 1)
    if (stop === -1) return writer.corrupt(at)
    let end = writeLatin(writer.into.bytes, position, '"meta":')
    end = writer.document(at, end, 1, ALL_BUT_TAG)
    if (end === FAILED) return FAILED
    const { bytes } = writer.into
    end = this.#otherTags(at, stop, writeLatin(bytes, reopened(bytes, end), '"tag":['))
    if (end === FAILED) return FAILED
    end = this.#closeTags(end)
    writer.into.bytes[end] = COMMA
    return end + 1
  }

  /** The tags of the `meta` between `at` and `stop` that are not the one to be added; a comma after each. */
  #otherTags(at: number, stop: number, position: number): number {
    const writer = this.#writer
    const { from } = writer
    const list = findField(from, at, stop, TAG)
    const name = list - TAG.length
    if (list === -1 || from[name - 1] !== BSON.array) return position
    writer.enter(1, name, false)
    const last = endOfDocument(from, list, stop)
    if (last === -1) return writer.corrupt(name)
    let end = position
    for (let next = list + 4; next < last && end !== FAILED; ) {
      const type = from[next] as number
      writer.enter(2, next + 1, true)
      const value = endOfName(from, next + 1) + 1
      next = endOfValue(from, type, value, last)
      if (next === -1) return writer.corrupt(value)
      end = this.#otherTag(type, value, last, end)
    }
    return end
  }

  #otherTag(type: number, at: number, limit: number, position: number): number {
    const writer = this.#writer
    if (type === BSON.null || type === BSON.undefined) {
      return writeLatin(writer.into.bytes, position, 'null,')
    }
    if (type !== BSON.document) return writer.fail('type', type, 2)
    const stop = endOfDocument(writer.from, at, limit)
    if (stop === -1) return writer.corrupt(at)
    if (this.#has(at, stop, SYSTEM, this.#system) && this.#has(at, stop, CODE, this.#code)) return position
    const end = writer.document(at, position, 3, ALL)
    if (end === FAILED) return FAILED
    writer.into.bytes[end] = COMMA
    return end + 1
  }

  /** Whether the document has a field with this text, with its zero byte. */
  #has(at: number, stop: number, name: Uint8Array, text: Uint8Array): boolean {
    const { from } = this.#writer
    const value = findField(from, at, stop, name)
    if (value === -1 || from[value - name.length - 1] !== BSON.string) return false
    return isName(from, value + 4, value + 4 + lengthAt(from, value), text)
  }

  /** The added tag, the end of the tags, and the end of `meta`. */
  #closeTags(position: number): number {
    const { bytes } = this.#writer.into
    const end = writeLatin(bytes, position, this.#json)
    bytes[end] = CLOSING_BRACKET
    bytes[end + 1] = CLOSING_BRACE
    return end + 2
  }
}

/** Where to go on in an object that ends at `position`, in place of its closing brace. */
function reopened(bytes: Uint8Array, position: number): number {
  const end = position - 1
  if (bytes[end - 1] === BRACE) return end
  bytes[end] = COMMA
  return end + 1
}
