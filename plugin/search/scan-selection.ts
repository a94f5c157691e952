import type { ResourceType } from '../fhir/resource.js'
import { CompartmentReader } from './scan-compartment.js'
import type { PatientSet } from './scan-patients.js'

/** Patients of a cohort that are read for together: all of the cohort from the first up to the last. */
export interface PatientBatch {
  readonly first: string
  readonly last: string
  readonly patients: readonly string[]
}

/** Whose compartments are meant. */
export interface Membership {
  /** All of the cohort, whichever of them are read for; `everyone`: all patients of this server. */
  readonly members: PatientSet | 'everyone'
  /** The FHIR base URL of this server. */
  readonly base: string
}

/** Tells by the bytes of a document whether it belongs to the patients that are meant. */
export class CompartmentSelection {
  readonly #reader: CompartmentReader
  readonly #members: Membership['members']

  constructor(type: ResourceType, { members, base }: Membership) {
    this.#reader = new CompartmentReader(type, base)
    this.#members = members
  }

  /**
   * @param batch when documents come for some patients after the others: a document that several members share belongs
   * to the lowest of them, so that it is written in one batch only
   * @returns `undefined` when the document is corrupt, and nobody can tell
   */
  selects(document: Buffer, batch: PatientBatch | undefined): boolean | undefined {
    if (!this.#reader.read(document)) return undefined
    if (this.#members === 'everyone') return this.#reader.count > 0
    if (batch === undefined) return this.#isAnyMember(document, this.#members)
    const owner = this.#lowestMember(document, this.#members)
    return owner !== undefined && owner >= batch.first && owner <= batch.last
  }

  #isAnyMember(document: Buffer, members: PatientSet): boolean {
    const { count, starts, ends } = this.#reader
    for (let index = 0; index < count; index++) {
      if (members.has(document, starts[index] as number, ends[index] as number)) return true
    }
    return false
  }

  #lowestMember(document: Buffer, members: PatientSet): string | undefined {
    const reader = this.#reader
    let lowest: string | undefined
    for (let index = 0; index < reader.count; index++) {
      if (!members.has(document, reader.starts[index] as number, reader.ends[index] as number)) continue
      const id = reader.idAt(index)
      if (lowest === undefined || id < lowest) lowest = id
    }
    return lowest
  }
}
