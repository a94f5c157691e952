import { subsettedTag } from '../fhir/elements.js'
import type { ResourceType } from '../fhir/resource.js'
import { isFramed } from './scan-bson.js'
import type { NdjsonBuffer } from './scan-buffer.js'
import { DocumentWriter, FAILED } from './scan-document.js'
import { type AskedElements, allBut, type FieldChoice, onlyElements } from './scan-fields.js'
import { TaggedMeta } from './scan-meta.js'
import { corruption, type ScanProblem } from './scan-problem.js'

const NEWLINE = 0x0a

export interface TranscoderOptions {
  /** Root fields that belong to the storage and not to the resource; `_id` and `__v` by default. */
  readonly storageFields?: readonly string[]
  /** Write only these root elements, and the tag `SUBSETTED`, as `withElements` does; for resources of this type alone. */
  readonly elements?: AskedElements & { readonly type: ResourceType }
}

/**
 * Turns BSON documents into lines of NDJSON without making objects of them: the text that `JSON.stringify` gives for what
 * the driver reads, without storage fields, with these differences:
 *
 * - Fields that are `null` are left out (FHIR JSON has none); in arrays `null` stays, where it holds the place of a value.
 * - An int64 beyond 2^53 and a Decimal128 are numbers with all of their digits. The driver makes objects of them.
 * - What FHIR JSON has nothing for is a problem of its document: other types, a DBRef, NaN and the infinities, Dates that are
 *   no instants, text that is not UTF-8 (the driver throws for that too), documents within more than 200 others.
 * - Names stand as often and in the order in which they are stored. Objects have each name once, those of integers first.
 */
export class Transcoder {
  readonly #fields: FieldChoice
  readonly #writer: DocumentWriter
  /** Only when elements are asked for. */
  readonly #meta: TaggedMeta | undefined
  #hasMeta = false

  constructor({ storageFields = ['_id', '__v'], elements }: TranscoderOptions = {}) {
    this.#writer = new DocumentWriter((type, at, position) => this.#tagged(type, at, position))
    this.#meta = elements && new TaggedMeta(this.#writer, subsettedTag(elements.version))
    this.#fields = elements ? onlyElements(elements.type, elements, storageFields) : allBut(storageFields)
  }

  /**
   * Appends the line of one document, or nothing when there is a problem with it.
   *
   * @param document the bytes of one document and no others, as a cursor with `raw` gives them
   * @returns the problem, if there is one; nothing is thrown, whatever the bytes are
   */
  transcode(document: Buffer, into: NdjsonBuffer): ScanProblem | undefined {
    if (!isFramed(document)) return corruption(0)
    const writer = this.#writer
    writer.begin(document, into)
    this.#hasMeta = false
    let end = writer.document(0, into.length, 0, this.#fields)
    if (end === FAILED) return writer.problem
    if (this.#meta !== undefined && !this.#hasMeta) end = this.#meta.addTo(end)
    into.bytes[end] = NEWLINE
    into.length = end + 1
    return undefined
  }

  #tagged(type: number, at: number, position: number): number {
    this.#hasMeta = true
    return this.#meta === undefined ? position : this.#meta.write(type, at, position)
  }
}
