import type { FhirResource, Group } from 'fhir/r4.js'
import { compartmentsOf } from '../../test/support/compartment.js'
import type { Level } from '../client/bulk-client.js'
import { population } from '../population/index.js'

/**
 * What exports of the generated population have to have, worked out from its references and a published table of the
 * compartment, without the plugin. Holds names of resources, never the resources.
 */
export class Expectation {
  readonly groups: readonly string[]
  readonly #indexes = new Map<string, number>()
  readonly #names: string[] = []
  /** One bit for each level and group. */
  readonly #levels: Uint8Array

  constructor(resources: number) {
    const members = groupMembers(resources)
    this.groups = [...members.keys()]
    this.#levels = new Uint8Array(resources)
    for (const resource of generated(resources)) {
      const name = `${resource.resourceType}/${resource.id}`
      const patients = compartmentsOf({ ...resource, id: String(resource.id) })
      let levels = this.#bit('system')
      if (patients.size > 0) levels |= this.#bit('patient')
      for (const [group, ids] of members) {
        if ([...patients].some((patient) => ids.has(patient))) levels |= this.#bit({ group })
      }
      this.#levels[this.#names.length] = levels
      this.#indexes.set(name, this.#names.length)
      this.#names.push(name)
    }
  }

  get size(): number {
    return this.#names.length
  }

  /** Takes the names of what an export has, each as often as it comes. */
  tally(level: Level): Tally {
    const counts = new Uint16Array(this.size)
    const unknown: string[] = []
    return {
      count: (name) => {
        const index = this.#indexes.get(name)
        if (index === undefined) unknown.push(name)
        else counts[index] = (counts[index] ?? 0) + 1
      },
      differences: () => {
        const bit = this.#bit(level)
        const lost: string[] = []
        const doubled: string[] = []
        const surplus = [...unknown]
        for (const [index, count] of counts.entries()) {
          const name = this.#names[index] ?? ''
          const isExpected = ((this.#levels[index] ?? 0) & bit) !== 0
          if (isExpected && count === 0) lost.push(name)
          if (!isExpected && count > 0) surplus.push(name)
          if (count > 1) doubled.push(name)
        }
        return { lost, doubled, surplus }
      },
    }
  }

  #bit(level: Level): number {
    if (level === 'system') return 1
    return level === 'patient' ? 2 : 4 << this.groups.indexOf(level.group)
  }
}

/** What one export has. */
export interface Tally {
  count(name: string): void
  differences(): {
    readonly lost: readonly string[]
    readonly doubled: readonly string[]
    readonly surplus: readonly string[]
  }
}

function* generated(resources: number): Generator<FhirResource> {
  let count = 0
  for (const resource of population({ patients: resources })) {
    if (count++ === resources) return
    yield resource
  }
}

function groupMembers(resources: number): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = new Map<string, ReadonlySet<string>>()
  for (const resource of generated(resources)) {
    if (resource.resourceType === 'Group') groups.set(String(resource.id), activeMembers(resource))
  }
  return groups
}

function activeMembers({ member = [] }: Group): ReadonlySet<string> {
  const active = member.filter(({ inactive }) => inactive !== true)
  return new Set(active.map(({ entity }) => String(entity.reference).replace(/^Patient\//, '')))
}
