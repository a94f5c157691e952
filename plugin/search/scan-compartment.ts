import { versionOf } from '../fhir/base-url.js'
import { compartmentOf } from '../fhir/patient-compartment.js'
import type { ResourceType } from '../fhir/resource.js'
import { BSON, endOfDocument, endOfName, endOfValue, isFramed, isName, lengthAt } from './scan-bson.js'
import { DEEPEST } from './scan-problem.js'

const ID = Buffer.from('id\0')
const REFERENCE = Buffer.from('reference\0')
const PATIENT = Buffer.from('Patient/')
const HISTORY = Buffer.from('/_history/')
const SLASH = 0x2f
const LONGEST_ID = 64

/** 1 for each byte that an id may have. */
const ID_BYTES = new Uint8Array(256)
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.'))
  ID_BYTES[byte] = 1

/**
 * The patients in whose compartments a resource is, found in the bytes of its document: those that `memberships` finds in
 * the object that the driver would make of it. One object serves for one document after another.
 */
export class CompartmentReader {
  /** How many references to patients of this server the document has; one patient may have several. */
  count = 0
  /** Where the id of each begins, and where it ends. */
  readonly starts: number[] = []
  readonly ends: number[] = []
  readonly #isPatient: boolean
  readonly #base: Buffer
  /** The names on each way, the last of them `reference`. */
  readonly #paths: readonly (readonly Buffer[])[]
  /** The root fields that ways begin with. */
  readonly #roots: readonly Buffer[]
  readonly #rootOf: readonly number[]
  /** Where the value of each root field begins, and its type. */
  readonly #values: Int32Array
  readonly #types: Uint8Array
  #document: Buffer = Buffer.alloc(0)
  #isWhole = true

  /**
   * @param base the FHIR base URL of this server, to tell its own absolute references from foreign ones, and the version
   * of the documents
   */
  constructor(type: ResourceType, base: string) {
    const paths = compartmentOf(versionOf(base))
      .paths(type)
      .map(({ path }) => path)
    const roots = [...new Set(paths.map(([root = '']) => root))]
    this.#isPatient = type === 'Patient'
    this.#base = Buffer.from(`${base}/`)
    this.#paths = paths.map((path) => [...path.map((name) => Buffer.from(`${name}\0`)), REFERENCE])
    this.#roots = this.#isPatient ? [ID] : roots.map((root) => Buffer.from(`${root}\0`))
    this.#rootOf = paths.map(([root = '']) => roots.indexOf(root))
    this.#values = new Int32Array(this.#roots.length)
    this.#types = new Uint8Array(this.#roots.length)
  }

  /**
   * Takes another document.
   *
   * @returns false when it is corrupt on the way to the references, so that nobody can tell whose it is
   */
  read(document: Buffer): boolean {
    this.#document = document
    this.count = 0
    this.#isWhole = true
    if (!isFramed(document) || !this.#findRoots(document.length - 1)) return false
    if (this.#isPatient) {
      const id = this.#values[0] as number
      if (this.#types[0] === BSON.string) this.#note(id + 4, id + 3 + lengthAt(document, id))
      return true
    }
    for (const [index, path] of this.#paths.entries()) {
      const root = this.#rootOf[index] as number
      const type = this.#types[root] as number
      if (type !== 0) this.#follow(type, this.#values[root] as number, document.length - 1, path, 1)
    }
    return this.#isWhole
  }

  /** The id of one of the patients. */
  idAt(index: number): string {
    return this.#document.toString('utf8', this.starts[index], this.ends[index])
  }

  /** Of a name that stands several times the last one counts, as it does in an object. */
  #findRoots(limit: number): boolean {
    const [document, roots] = [this.#document, this.#roots]
    this.#types.fill(0)
    for (let next = 4; next < limit; ) {
      const type = document[next] as number
      const name = next + 1
      const value = endOfName(document, name) + 1
      next = endOfValue(document, type, value, limit)
      if (next === -1) return false
      for (let root = 0; root < roots.length; root++) {
        if (!isName(document, name, value, roots[root] as Buffer)) continue
        this.#values[root] = value
        this.#types[root] = type
      }
    }
    return true
  }

  /** @param depth the next name of the path; lists are gone through wherever they stand */
  #follow(type: number, at: number, limit: number, path: readonly Buffer[], depth: number, level = 0): void {
    if (depth === path.length) {
      if (type === BSON.string) this.#noteReference(at)
      return
    }
    if (type !== BSON.document && type !== BSON.array) return
    const document = this.#document
    const end = endOfDocument(document, at, limit)
    if (end === -1 || level > DEEPEST) {
      this.#isWhole = false
      return
    }
    const name = path[depth]
    let [foundType, found] = [0, 0]
    for (let next = at + 4; next < end; ) {
      const innerType = document[next] as number
      const value = endOfName(document, next + 1) + 1
      const isMeant = type === BSON.array || (name !== undefined && isName(document, next + 1, value, name))
      next = endOfValue(document, innerType, value, end)
      if (next === -1) {
        this.#isWhole = false
        return
      }
      if (!isMeant) continue
      if (type === BSON.array) this.#follow(innerType, value, end, path, depth, level + 1)
      else [foundType, found] = [innerType, value]
    }
    if (foundType !== 0) this.#follow(foundType, found, end, path, depth + 1, level + 1)
  }

  /** Notes the patient that the text at `at` names, if it does, as `localReference` reads it. */
  #noteReference(at: number): void {
    const document = this.#document
    const end = at + 3 + lengthAt(document, at)
    let start = at + 4
    if (beginsWith(document, start, end, this.#base)) start += this.#base.length
    if (!beginsWith(document, start, end, PATIENT)) return
    start += PATIENT.length
    let stop = start
    while (stop < end && ID_BYTES[document[stop] as number] === 1) stop++
    const isId = stop > start && stop - start <= LONGEST_ID
    if (isId && (stop === end || isVersion(document, stop, end))) this.#note(start, stop)
  }

  #note(start: number, end: number): void {
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.count += 1
  }
}

function isVersion(bytes: Uint8Array, from: number, to: number): boolean {
  if (!beginsWith(bytes, from, to, HISTORY)) return false
  for (let index = from + HISTORY.length; index < to; index++) if (bytes[index] === SLASH) return false
  return true
}

function beginsWith(bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean {
  if (to - from < text.length) return false
  for (let index = 0; index < text.length; index++) if (bytes[from + index] !== text[index]) return false
  return true
}
