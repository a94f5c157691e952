import { randomUUID } from 'node:crypto'
import type { CohortSlice, Models } from './model.js'

/**
 * Whose compartments a job exports. That there is no filter and that there are no patients are two different
 * things: an empty group exports nothing.
 */
export type Cohort = 'everyone' | CohortPatients

/** The frozen patients of one job, kept in slices so that no document grows with their number. */
export interface CohortPatients {
  /** The patient ids in ascending order, beginning with `from`. */
  patients(from?: string): AsyncIterable<string>
  /** Which of these ids are patients of the cohort. */
  among(ids: readonly string[]): Promise<ReadonlySet<string>>
}

const SLICE_SIZE = 1000

/**
 * Freezes patients for a job, apart from whatever another try to plan it has frozen: slices of two tries, of
 * which each saw another group, must never be mixed.
 *
 * @returns the id of the cohort
 */
export async function freezeCohort(
  model: Models['cohort'],
  job: string,
  ids: Iterable<string>,
): Promise<string> {
  const cohort = randomUUID()
  const patients = [...new Set(ids)].sort()
  for (let start = 0; start < patients.length; start += SLICE_SIZE) {
    const slice = patients.slice(start, start + SLICE_SIZE)
    await model.create({
      _id: `${cohort}-${start / SLICE_SIZE}`,
      job,
      cohort,
      last: slice[slice.length - 1] as string,
      patients: slice,
    })
  }
  return cohort
}

/** Reads a frozen cohort. */
export function cohortOf(model: Models['cohort'], cohort: string): CohortPatients {
  /** The first slice that reaches up to this id or beyond. */
  const sliceAt = (id: string) =>
    model
      .findOne({ cohort, last: { $gte: id } })
      .sort({ last: 1 })
      .lean<CohortSlice>()
  return {
    async *patients(from = '') {
      // A cursor would be forgotten by the server while the records of its patients are read.
      let slice = await sliceAt(from)
      while (slice !== null) {
        yield* slice.patients.filter((patient) => patient >= from)
        slice = await model
          .findOne({ cohort, last: { $gt: slice.last } })
          .sort({ last: 1 })
          .lean<CohortSlice>()
      }
    },
    async among(ids) {
      const found = new Set<string>()
      let rest = [...new Set(ids)].sort()
      for (let slice = await sliceAt(rest[0] ?? ''); slice !== null && rest.length > 0; ) {
        const { last, patients } = slice
        const members = new Set(patients)
        for (const id of rest) if (members.has(id)) found.add(id)
        rest = rest.filter((id) => id > last)
        slice = rest[0] === undefined ? null : await sliceAt(rest[0])
      }
      return found
    },
  }
}
