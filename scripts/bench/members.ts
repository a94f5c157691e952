import type { FhirResource, Group } from 'fhir/r4.js'
import { DEFAULT_SEED } from '../population/index.js'
import { PATIENTS_PER_PRACTICE, Practice } from '../population/practice.js'
import { record } from '../population/record.js'
import { Subject } from '../population/subject.js'

/** A Group of these patients. */
export function groupOf(id: string, patients: Iterable<string>): Group & { id: string } {
  const member = Array.from(patients, (patient) => ({ entity: { reference: `Patient/${patient}` } }))
  return {
    resourceType: 'Group',
    id,
    meta: { versionId: '1', lastUpdated: '2024-01-01T00:00:00Z' },
    ...{ active: true, type: 'person', actual: true, name: id, quantity: member.length, member },
  }
}

/** So many patients with their Coverage and nothing else, and the Group `group` of all of them. */
export function* members(count: number, group: string): Generator<FhirResource> {
  let practice = new Practice(DEFAULT_SEED, 1)
  for (let number = 1; number <= count; number++) {
    if (number % PATIENTS_PER_PRACTICE === 1) {
      practice = new Practice(DEFAULT_SEED, (number - 1) / PATIENTS_PER_PRACTICE + 1)
    }
    // The Patient and the Coverage come first.
    yield* firstTwo(record(new Subject(DEFAULT_SEED, number, practice)))
  }
  yield groupOf(
    group,
    Array.from({ length: count }, (_, index) => `p${index + 1}`),
  )
}

function* firstTwo<T>(items: Iterable<T>): Generator<T> {
  let taken = 0
  for (const item of items) {
    yield item
    taken += 1
    if (taken === 2) return
  }
}
