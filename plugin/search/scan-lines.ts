import { withElements } from '../fhir/elements.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import type { Window } from '../fhir/window.js'
import type { NdjsonBuffer } from './scan-buffer.js'
import { idOf } from './scan-collection.js'
import type { Documents } from './scan-documents.js'
import type { AskedElements } from './scan-fields.js'
import { ResourceHead } from './scan-head.js'
import { CompartmentSelection, type Membership, type PatientBatch } from './scan-selection.js'
import { Transcoder } from './scan-transcoder.js'
import { ScanWindow } from './scan-window.js'

export interface ScanRequest {
  /** Go on after this `_id`. */
  readonly after?: string | undefined
  readonly window: Window
  /** Only what is in the compartments of these patients; absent: all. */
  readonly membership?: Membership | undefined
  /** Only these root elements. */
  readonly elements?: AskedElements | undefined
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

interface Taken {
  readonly document: Buffer
  readonly patients: PatientBatch | undefined
}

/** The lines of the resources among the documents of a collection. */
export class ScanLines {
  readonly #transcoder: Transcoder
  readonly #whole = new Transcoder()
  readonly #window: ScanWindow
  readonly #head = new ResourceHead()
  readonly #mark: Buffer | undefined
  readonly #selection: CompartmentSelection | undefined
  #last: Taken | undefined
  #before: Taken | undefined
  #problem = ''
  #isNamed = true

  constructor(
    private readonly type: ResourceType,
    private readonly documents: Documents,
    private readonly request: ScanRequest,
  ) {
    const { window, elements, inspection, membership } = request
    this.#transcoder = new Transcoder(elements ? { elements: { type, ...elements } } : {})
    this.#window = new ScanWindow(window)
    this.#selection = membership && new CompartmentSelection(type, membership)
    this.#mark = inspection && Buffer.from(`${inspection.element}\0`)
  }

  /**
   * Appends the next line. `passed` is a document that is not meant, `problem` one that cannot be written; with `fetch`
   * there is none as yet.
   */
  next(into: NdjsonBuffer): ScanStep {
    const document = this.documents.next()
    if (document === undefined) return 'fetch'
    const { patients } = this.documents
    this.#before = this.#last
    this.#last = { document, patients }
    this.#isNamed = true
    const head = this.#head
    const isWhole = head.read(document)
    // A corrupt document may be of this type, so it is not passed over.
    if (isWhole && !head.isOfType(this.type)) return 'passed'
    if (!this.#window.includes(head.lastUpdated)) return 'passed'
    if (this.#selection !== undefined) {
      const isSelected = isWhole ? this.#selection.selects(document, patients) : undefined
      if (isSelected === undefined) return this.#ownerless()
      if (!isSelected) return 'passed'
    }
    if (this.#mark === undefined || document.indexOf(this.#mark) === -1) return this.#written(document, into)
    return this.#inspected(document, into)
  }

  /** Takes the last line back, which began here: it comes once more. */
  back(into: NdjsonBuffer, start: number): void {
    into.length = start
    this.#last = this.#before
    this.documents.back()
  }

  /** @returns `false` when there are no more documents */
  fetch(): Promise<boolean> {
    return this.documents.fetch()
  }

  /** Where to go on after the last document: its `_id` as EJSON and, if documents come for some patients after the
   * others, the first of those that it came for. */
  get position(): { readonly scanned: string; readonly patient?: string } {
    if (this.#last === undefined) throw new Error('No document has come yet.')
    const { document, patients } = this.#last
    return { scanned: idOf(document), ...(patients === undefined ? {} : { patient: patients.first }) }
  }

  /** Why the last document could not be written, in words that name no value of it. */
  get problem(): string {
    return this.#problem
  }

  /** The id of the last resource; `undefined` when it has none, or it may not be told. */
  get resourceId(): string | undefined {
    return this.#isNamed ? this.#head.id : undefined
  }

  async close(): Promise<void> {
    await this.documents.close()
  }

  #written(document: Buffer, into: NdjsonBuffer, transcoder = this.#transcoder): 'line' | 'problem' {
    const problem = transcoder.transcode(document, into)
    if (problem === undefined) return 'line'
    this.#problem = problem.message
    return 'problem'
  }

  /** It may be that of a patient who is not meant, so not even its id is told. */
  #ownerless(): 'problem' {
    this.#isNamed = false
    this.#problem = 'The stored document is not valid BSON'
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
    const text = Buffer.from(
      `${JSON.stringify(elements ? withElements(after, elements.asked, elements.version) : after)}\n`,
    )
    into.reserve(start + text.length)
    into.bytes.set(text, start)
    into.length = start + text.length
    return 'line'
  }
}
