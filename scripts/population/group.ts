import type { Group, GroupMember, Observation } from 'fhir/r4.js'
import { dateTime, HISTORY, instant, momentBetween, UPDATES } from './calendar.js'
import { DIABETES } from './condition.js'
import { Dice } from './dice.js'
import { concept, LOCAL, SNOMED } from './terminology.js'

/** A panel is made of the first so many patients, as soon as there are so many. */
export const PANEL_SIZES: readonly number[] = [10, 100, 1_000]

/** How many active members the diabetes registry has. */
export const REGISTRY_SIZE = 10

/** The first `size` patients, and an observation about the panel itself: it has a subject and is about no patient. */
export function* panel(seed: string, size: number): Generator<Group | Observation> {
  const dice = new Dice(`${seed}/panel/${size}`)
  const id = `panel-${size}`
  const member = Array.from({ length: size }, (_, index) => ({
    entity: { reference: `Patient/p${index + 1}` },
  }))
  yield group(dice, id, `The first ${size} patients 👥`, member)
  yield {
    resourceType: 'Observation',
    id: `${id}-size`,
    meta: stamp(dice),
    status: 'final',
    code: concept(LOCAL, 'panel-size', 'Number of patients in the panel'),
    subject: { reference: `Group/${id}` },
    effectiveDateTime: dateTime(HISTORY.end, 0),
    performer: [{ reference: 'Organization/network' }],
    valueInteger: size,
  }
}

/** Gathers patients with diabetes, as they come, until there are enough of them for one group. */
export class DiabetesRegistry {
  readonly #seed: string
  readonly #patients: string[] = []

  constructor(seed: string) {
    this.#seed = seed
  }

  /** The group, at the patient who completes it. Its first member has left: it is `inactive`. */
  *add(patientId: string): Generator<Group> {
    this.#patients.push(patientId)
    if (this.#patients.length !== REGISTRY_SIZE + 1) return
    const [first, ...others] = this.#patients.map((id) => ({ entity: { reference: `Patient/${id}` } }))
    if (first === undefined) return
    const period = { start: dateTime(HISTORY.start, 0), end: dateTime(HISTORY.end, 0) }
    const members = [{ ...first, period, inactive: true }, ...others]
    yield {
      ...group(new Dice(`${this.#seed}/registry`), 'diabetes-registry', 'Diabetes registry', members),
      code: concept(SNOMED, DIABETES, 'Diabetes mellitus type 2'),
    }
  }
}

function group(dice: Dice, id: string, name: string, member: GroupMember[]): Group {
  return {
    resourceType: 'Group',
    id,
    meta: stamp(dice),
    identifier: [{ system: 'http://example.org/fhir/NamingSystem/group', value: id }],
    active: true,
    type: 'person',
    actual: true,
    name,
    quantity: member.length,
    managingEntity: { reference: 'Organization/network' },
    member,
  }
}

function stamp(dice: Dice) {
  return { versionId: '1', lastUpdated: instant(momentBetween(dice, UPDATES.start, UPDATES.end)) }
}
