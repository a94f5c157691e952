/**
 * A source of chance that gives the same sequence for the same key on every machine. It works on 32-bit integers only
 * (the sfc32 generator), because `Math.log` and its kind may differ in the last digit from one engine to the next.
 */
export class Dice {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(key: string) {
    this.#a = hash(key, 0x9e3779b9)
    this.#b = hash(key, 0x243f6a88)
    this.#c = hash(key, 0xb7e15162)
    for (let round = 0; round < 12; round++) this.next()
  }

  /** A 32-bit number, 0 included. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A whole number from 0 to `limit - 1`; `limit` is at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit)
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True in `percent` of 100 throws. */
  chance(percent: number): boolean {
    return this.next() < percent * 0x28f_5c29
  }

  pick<T>(list: readonly T[]): T {
    const chosen = list[this.below(list.length)]
    if (chosen === undefined) throw new RangeError('Nothing to pick from')
    return chosen
  }

  /** Picks by weight. The weights are whole numbers of any sum. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let total = 0
    for (const [weight] of list) total += weight
    let rest = this.below(total)
    for (const [weight, value] of list) {
      if (rest < weight) return value
      rest -= weight
    }
    throw new RangeError('Nothing to pick from')
  }

  /** Up to `count` different members of a list, in the order of the list. */
  sample<T>(list: readonly T[], count: number): T[] {
    const chosen: T[] = []
    for (const [index, member] of list.entries()) {
      const wanted = count - chosen.length
      if (wanted === 0) break
      if (this.below(list.length - index) < wanted) chosen.push(member)
    }
    return chosen
  }

  /** Replaces every `#` of a pattern with a digit. */
  digits(pattern: string): string {
    let filled = ''
    for (const character of pattern) filled += character === '#' ? this.below(10) : character
    return filled
  }
}

function hash(key: string, start: number): number {
  let value = start
  for (let index = 0; index < key.length; index++) {
    value = Math.imul(value ^ key.charCodeAt(index), 0x85eb_ca6b)
    value ^= value >>> 13
  }
  value = Math.imul(value ^ key.length, 0xc2b2_ae35)
  return value ^ (value >>> 16)
}
