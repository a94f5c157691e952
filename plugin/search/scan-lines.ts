import type { Db } from 'mongodb'
import { withElements } from '../fhir/elements.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import type { Window } from '../fhir/window.js'
import type { ScanReading } from './scan-batches.js'
import type { NdjsonBuffer } from './scan-buffer.js'
import {
  type CollectionNames,
  type DocumentCursor,
  idOf,
  ScanCollection,
  type ScanRange,
} from './scan-collection.js'
import { ResourceHead } from './scan-head.js'
import { BatchSource } from './scan-source.js'
import { Transcoder } from './scan-transcoder.js'
import { ScanWindow } from './scan-window.js'

/** The types of a host that can be read from their collections. */
export interface Scans {
  /** `undefined` when the resources of the type are not known to be in one collection. */
  of(type: ResourceType, version: string): ScannedType | undefined
}

export interface ScannedType {
  /** The first `_id` of each of several ranges of about the same size but the first, as EJSON; none: it is too small. */
  ranges(): Promise<readonly string[]>
  read(request: ScanRequest): ScanLines
}

export interface ScanRequest {
  readonly range: ScanRange
  /** Go on after this `_id`. */
  readonly after?: string | undefined
  readonly window: Window
  /** Only these root elements. */
  readonly elements?: readonly string[] | undefined
  /** For resources in which something has to be looked at, or changed. */
  readonly inspection?: Inspection | undefined
}

/** What has to be seen to in some resources. */
export interface Inspection {
  /** The name of an element without which a resource needs none. */
  readonly element: string
  /** The resource as it is to be written, itself when there is nothing to change; `undefined`: not at all. */
  inspect(resource: Resource): Resource | undefined
}

/** What came of a step. */
export type ScanStep = 'line' | 'problem' | 'passed' | 'fetch'

/** The types that a function finds collections for, in the database of the plugin's own connection. */
export function scansOf(db: Db, names: CollectionNames, reading?: ScanReading): Scans {
  const source = new BatchSource(db, reading)
  return {
    of(type, version) {
      const name = names(type, version)
      if (name === undefined) return undefined
      const collection = new ScanCollection(db, name, source)
      return {
        ranges: () => collection.ranges(),
        read: (request) =>
          new ScanLines(type, collection.open(request.range, request.after, request.window), request),
      }
    },
  }
}

/** The lines of the resources in a range of a collection. */
export class ScanLines {
  readonly #transcoder: Transcoder
  readonly #whole = new Transcoder()
  readonly #window: ScanWindow
  readonly #head = new ResourceHead()
  readonly #mark: Buffer | undefined
  #document: Buffer | undefined
  #before: Buffer | undefined
  #problem = ''

  constructor(
    private readonly type: ResourceType,
    private readonly cursor: DocumentCursor,
    private readonly request: ScanRequest,
  ) {
    const { window, elements, inspection } = request
    this.#transcoder = new Transcoder(elements ? { elements: { type, asked: elements } } : {})
    this.#window = new ScanWindow(window)
    this.#mark = inspection && Buffer.from(`${inspection.element}\0`)
  }

  /**
   * Appends the next line. `passed` is a document that is not meant, `problem` one that cannot be written; with `fetch`
   * there is none as yet.
   */
  next(into: NdjsonBuffer): ScanStep {
    const document = this.cursor.next()
    if (document === undefined) return 'fetch'
    this.#before = this.#document
    this.#document = document
    const head = this.#head
    // A corrupt document may be of this type, so it is not passed over.
    if (head.read(document) && !head.isOfType(this.type)) return 'passed'
    if (!this.#window.includes(head.lastUpdated)) return 'passed'
    if (this.#mark === undefined || document.indexOf(this.#mark) === -1) return this.#written(document, into)
    return this.#inspected(document, into)
  }

  /** Takes the last line back, which began here: it comes once more. */
  back(into: NdjsonBuffer, start: number): void {
    into.length = start
    this.#document = this.#before
    this.cursor.back()
  }

  /** @returns `false` when there are no more documents */
  fetch(): Promise<boolean> {
    return this.cursor.fetch()
  }

  /** The `_id` of the last document, as EJSON. */
  get lastId(): string {
    if (this.#document === undefined) throw new Error('No document has come yet.')
    return idOf(this.#document)
  }

  /** Why the last document could not be written, in words that name no value of it. */
  get problem(): string {
    return this.#problem
  }

  /** The id of the last resource; `undefined` when it has none. */
  get resourceId(): string | undefined {
    return this.#head.id
  }

  async close(): Promise<void> {
    await this.cursor.close()
  }

  #written(document: Buffer, into: NdjsonBuffer, transcoder = this.#transcoder): 'line' | 'problem' {
    const problem = transcoder.transcode(document, into)
    if (problem === undefined) return 'line'
    this.#problem = problem.message
    return 'problem'
  }

  /** Looks at all of the resource, whatever elements of it are asked for. */
  #inspected(document: Buffer, into: NdjsonBuffer): ScanStep {
    const { inspection, elements } = this.request
    const start = into.length
    if (this.#written(document, into, this.#whole) === 'problem') return 'problem'
    const before = JSON.parse(into.bytes.toString('utf8', start, into.length)) as Resource
    into.length = start
    const after = inspection?.inspect(before)
    if (after === undefined) return 'passed'
    if (after === before) return this.#written(document, into)
    const text = Buffer.from(`${JSON.stringify(elements ? withElements(after, elements) : after)}\n`)
    into.reserve(start + text.length)
    into.bytes.set(text, start)
    into.length = start + text.length
    return 'line'
  }
}
