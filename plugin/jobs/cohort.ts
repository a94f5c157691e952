import { randomUUID } from 'node:crypto'
import type { Models } from './collections.js'
import type { CohortPage, IdRange } from './model.js'

/**
 * Whose compartments a job exports. That there is no filter and that there are no patients are two different
 * things: an empty group exports nothing.
 */
export type Cohort = 'everyone' | CohortPatients

/** The frozen patients of one job, kept in pages so that no document grows with their number. */
export interface CohortPatients {
  /** The patient ids within a range, in ascending order. */
  patients(range?: IdRange): AsyncIterable<string>
  /** Which of these ids are patients of the cohort. */
  among(ids: readonly string[]): Promise<ReadonlySet<string>>
}

/** A cohort as it was frozen. */
export interface FrozenCohort {
  readonly id: string
  /** How many patients it has. */
  readonly size: number
  /** The first patient of each slice but the first; each slice of it is work for one worker. */
  readonly slices: readonly string[]
}

const PAGE_SIZE = 1000
/** With fewer patients to a slice there would be many small files. */
const SMALLEST_SLICE = 1000
/** As many workers as this get an even share of each type. */
const MOST_SLICES = 16

/**
 * Freezes patients for a job, apart from whatever another try to plan it has frozen: pages of two tries, of
 * which each saw another group, must never be mixed.
 */
export async function freezeCohort(
  model: Models['cohort'],
  job: string,
  ids: Iterable<string>,
): Promise<FrozenCohort> {
  const cohort = randomUUID()
  const patients = [...new Set(ids)].sort()
  for (let start = 0; start < patients.length; start += PAGE_SIZE) {
    const page = patients.slice(start, start + PAGE_SIZE)
    await model.create({
      _id: `${cohort}-${start / PAGE_SIZE}`,
      job,
      cohort,
      last: page[page.length - 1] as string,
      patients: page,
    })
  }
  return { id: cohort, size: patients.length, slices: firstsOf(patients) }
}

function firstsOf(patients: readonly string[]): readonly string[] {
  const slices = Math.min(MOST_SLICES, Math.ceil(patients.length / SMALLEST_SLICE))
  const size = Math.ceil(patients.length / slices)
  return patients.filter((_, index) => index > 0 && index % size === 0)
}

/** Reads a frozen cohort. */
export function cohortOf(model: Models['cohort'], cohort: string): CohortPatients {
  /** The first page that reaches up to this id or beyond. */
  const pageAt = (id: string) =>
    model
      .findOne({ cohort, last: { $gte: id } })
      .sort({ last: 1 })
      .lean<CohortPage>()
  return {
    async *patients({ from = '', below } = {}) {
      // A cursor would be forgotten by the server while the records of its patients are read.
      let page = await pageAt(from)
      while (page !== null) {
        for (const patient of page.patients) {
          if (below !== undefined && patient >= below) return
          if (patient >= from) yield patient
        }
        page = await model
          .findOne({ cohort, last: { $gt: page.last } })
          .sort({ last: 1 })
          .lean<CohortPage>()
      }
    },
    async among(ids) {
      const found = new Set<string>()
      let rest = [...new Set(ids)].sort()
      for (let page = await pageAt(rest[0] ?? ''); page !== null && rest.length > 0; ) {
        const { last, patients } = page
        const members = new Set(patients)
        for (const id of rest) if (members.has(id)) found.add(id)
        rest = rest.filter((id) => id > last)
        page = rest[0] === undefined ? null : await pageAt(rest[0])
      }
      return found
    },
  }
}
