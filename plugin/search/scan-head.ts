import { BSON, endOfDocument, endOfName, endOfValue, findField, isFramed, isName } from './scan-bson.js'
import { readInstant } from './scan-instant.js'

const RESOURCE_TYPE = Buffer.from('resourceType\0')
const ID = Buffer.from('id\0')
const META = Buffer.from('meta\0')
const LAST_UPDATED = Buffer.from('lastUpdated\0')
/** The largest distance from 1970 that a `Date` has, in milliseconds. */
const LATEST_DATE = 8.64e15
const NOWHERE = -1

/**
 * What an export has to know of a resource apart from its text, found in the bytes of its document. Reading goes on only
 * until all is found; one object serves for one document after another.
 */
export class ResourceHead {
  #document: Buffer = Buffer.alloc(0)
  #type = NOWHERE
  #id = NOWHERE
  #lastUpdated = Number.NaN

  /**
   * Takes another document, which must keep its bytes as long as this is asked about it.
   *
   * @returns false when the document is corrupt, as far as it has been read; what was found before that is kept
   */
  read(document: Buffer): boolean {
    this.#document = document
    this.#type = NOWHERE
    this.#id = NOWHERE
    this.#lastUpdated = Number.NaN
    return isFramed(document) && this.#readFields(document, document.length - 1)
  }

  /** `resourceType`; `undefined` when there is none that is text. */
  get resourceType(): string | undefined {
    return this.#textAt(this.#type)
  }

  /** `id`; `undefined` when there is none that is text. */
  get id(): string | undefined {
    return this.#textAt(this.#id)
  }

  /**
   * `meta.lastUpdated` in milliseconds since 1970, whether it is a Date or an instant as text; one that is finer is cut off
   * as `parseInstant` does it. NaN when there is none, or it cannot be read.
   */
  get lastUpdated(): number {
    return this.#lastUpdated
  }

  /** Whether `resourceType` is this one: the same as asking for it, without making a string. */
  isOfType(type: string): boolean {
    if (this.#type === NOWHERE || this.#lengthOf(this.#type) !== type.length) return false
    for (let index = 0; index < type.length; index++) {
      if (this.#document[this.#type + 4 + index] !== type.charCodeAt(index)) return false
    }
    return true
  }

  #readFields(document: Buffer, limit: number): boolean {
    let hasMeta = false
    for (let next = 4; next < limit; ) {
      const type = document[next] as number
      const name = next + 1
      const value = endOfName(document, name) + 1
      next = endOfValue(document, type, value, limit)
      if (next === -1) return false
      if (type === BSON.string) {
        if (isName(document, name, value, RESOURCE_TYPE)) this.#type = value
        else if (isName(document, name, value, ID)) this.#id = value
      } else if (type === BSON.document && isName(document, name, value, META)) {
        hasMeta = true
        const end = endOfDocument(document, value, limit)
        if (end === -1) return false
        this.#lastUpdated = readLastUpdated(document, value, end)
      }
      if (hasMeta && this.#type !== NOWHERE && this.#id !== NOWHERE) return true
    }
    return true
  }

  /** Without the zero byte at its end; what is corrupt is taken for empty. */
  #lengthOf(at: number): number {
    return Math.max(0, this.#document.readInt32LE(at) - 1)
  }

  #textAt(at: number): string | undefined {
    return at === NOWHERE ? undefined : this.#document.toString('utf8', at + 4, at + 4 + this.#lengthOf(at))
  }
}

function readLastUpdated(document: Buffer, meta: number, limit: number): number {
  const value = findField(document, meta, limit, LAST_UPDATED)
  if (value === -1) return Number.NaN
  const type = document[value - LAST_UPDATED.length - 1]
  if (type === BSON.string) {
    const length = document.readInt32LE(value)
    return length > 0 ? readInstant(document, value + 4, value + 3 + length) : Number.NaN
  }
  if (type !== BSON.date) return Number.NaN
  const time = document.readInt32LE(value + 4) * 0x1_0000_0000 + document.readUInt32LE(value)
  return Math.abs(time) <= LATEST_DATE ? time : Number.NaN
}
