import type { DocumentCursor } from './scan-collection.js'
import type { PatientBatch } from './scan-selection.js'

/** Documents that come one after the other, in batches of the database. */
export interface Documents {
  /** The next document; `undefined` when others are to be fetched. */
  next(): Buffer | undefined
  /** Hands out the last document once more. */
  back(): void
  /** @returns `false` when there are no more documents */
  fetch(): Promise<boolean>
  close(): Promise<void>
  /** The patients for whom the documents come; absent: not for some after the others. */
  readonly patients?: PatientBatch | undefined
}

interface Opened {
  readonly batch: PatientBatch
  readonly cursor: DocumentCursor
}

/** The documents of one batch of patients after the other: those of the next are on their way while one is worked on. */
export class PatientDocuments implements Documents {
  #current: Opened | undefined
  #coming: Promise<Opened | undefined> | undefined
  #isClosed = false

  constructor(
    private readonly batches: AsyncIterator<readonly string[]>,
    /** @param isFirst whether it is the first batch, within which reading may go on */
    private readonly open: (patients: readonly string[], isFirst: boolean) => DocumentCursor,
  ) {}

  get patients(): PatientBatch | undefined {
    return this.#current?.batch
  }

  next(): Buffer | undefined {
    return this.#current?.cursor.next()
  }

  back(): void {
    this.#current?.cursor.back()
  }

  async fetch(): Promise<boolean> {
    for (;;) {
      if (this.#current !== undefined) {
        if (await this.#current.cursor.fetch()) return true
        await this.#current.cursor.close()
      }
      const isFirst = this.#coming === undefined
      this.#current = await (this.#coming ?? this.#openNext(isFirst))
      if (this.#current === undefined) return false
      this.#coming = this.#openNext(false)
      // Whoever waits for it is told; nobody may be left to wait.
      this.#coming.catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#current?.cursor.close()
    const coming = await this.#coming?.catch(() => undefined)
    await coming?.cursor.close()
    await this.batches.return?.()
  }

  async #openNext(isFirst: boolean): Promise<Opened | undefined> {
    const { value: patients, done } = await this.batches.next()
    const [first, last] = [patients?.[0], patients?.at(-1)]
    if (done || this.#isClosed || first === undefined || last === undefined) return undefined
    const cursor = this.open(patients, isFirst)
    cursor.prepare()
    return { batch: { first, last, patients }, cursor }
  }
}
