import type { Meta, Reference } from 'fhir/r4.js'
import { HISTORY, instant, momentBetween, UPDATES } from './calendar.js'
import { Dice } from './dice.js'
import { type Person, person } from './person.js'
import type { Practice } from './practice.js'

const YEAR = 31_557_600_000

/**
 * What every resource of one patient needs to know about this patient. All chance of a patient comes from the dice of
 * this object, which know the seed and the patient's number and nothing else: that keeps a patient the same in a
 * population of any size.
 */
export class Subject {
  readonly dice: Dice
  readonly id: string
  readonly reference: Reference
  readonly person: Person
  /** Midnight UTC of the day of birth. */
  readonly born: number
  /** Another patient, with a lower number, who speaks or pays for this one; one patient in ten has one. */
  readonly relative: Reference | undefined
  readonly #counts = new Map<string, number>()

  constructor(
    seed: string,
    readonly number: number,
    readonly practice: Practice,
  ) {
    this.dice = new Dice(`${seed}/patient/${number}`)
    this.id = `p${number}`
    this.person = person(this.dice)
    this.reference = { reference: `Patient/${this.id}`, display: this.person.fullName }
    this.born = Date.UTC(this.dice.between(1928, 2022), this.dice.below(12), this.dice.between(1, 28))
    this.relative = number % 10 === 0 ? { reference: `Patient/p${number / 2}` } : undefined
  }

  /** Whole years between birth and a moment. */
  ageAt(moment: number): number {
    return Math.floor((moment - this.born) / YEAR)
  }

  /** A moment at which the patient lived and the practice kept records. */
  someMoment(): number {
    return momentBetween(this.dice, Math.max(this.born, HISTORY.start), HISTORY.end)
  }

  /** Ids count per kind and patient: `p12-observation-7`. */
  nextId(kind: string): string {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    return `${this.id}-${kind}-${count}`
  }

  /** The `meta` of a resource of this patient. */
  stamp(): Meta {
    const { dice } = this
    const lastUpdated = instant(momentBetween(dice, UPDATES.start, UPDATES.end))
    return { versionId: String(dice.chance(70) ? 1 : dice.between(2, 12)), lastUpdated }
  }
}
