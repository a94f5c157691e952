import { PatientSet } from '../search/scan-patients.js'
import { cohortOf } from './cohort.js'
import type { Models } from './collections.js'

/** The members of cohorts in the memory of this process, for tasks that look each reference up. */
export interface CohortMembers {
  /** All members of a frozen cohort. Tasks that want the same one at the same time get the same. */
  of(cohort: string): Promise<PatientSet>
}

export function cohortMembers(model: Models['cohort']): CohortMembers {
  // Weakly, so that a large cohort goes when no task reads for it any more.
  const loaded = new Map<string, WeakRef<PatientSet>>()
  const loading = new Map<string, Promise<PatientSet>>()
  const load = async (cohort: string) => {
    const members = new PatientSet()
    for await (const patient of cohortOf(model, cohort).patients()) members.add(patient)
    for (const [other, reference] of loaded) if (reference.deref() === undefined) loaded.delete(other)
    loaded.set(cohort, new WeakRef(members))
    return members
  }
  return {
    async of(cohort) {
      const known = loaded.get(cohort)?.deref()
      if (known !== undefined) return known
      const coming = loading.get(cohort) ?? load(cohort).finally(() => loading.delete(cohort))
      loading.set(cohort, coming)
      return coming
    },
  }
}
