import { createHash } from 'node:crypto'

const WORDS = 3
/** How full the table may get before it grows. */
const LOAD = 0.6

/**
 * The ids that have been met, in 20 to 40 bytes each: 96 bits of a hash stand for an id, so that millions fit
 * into memory and two different ones are never taken for the same in practice.
 */
export class IdSet {
  #table = new Uint32Array(1024 * WORDS)
  #size = 0

  /** @returns whether the id is new */
  add(id: string): boolean {
    if ((this.#size + 1) * WORDS > this.#table.length * LOAD) this.#grow()
    const digest = createHash('sha1').update(id).digest()
    // An empty place is all zeros.
    const words = [digest.readUInt32LE(0) || 1, digest.readUInt32LE(4), digest.readUInt32LE(8)] as const
    if (!insert(this.#table, words)) return false
    this.#size += 1
    return true
  }

  #grow(): void {
    const larger = new Uint32Array(this.#table.length * 2)
    for (let place = 0; place < this.#table.length; place += WORDS) {
      const [first = 0, second = 0, third = 0] = this.#table.subarray(place, place + WORDS)
      if (first !== 0) insert(larger, [first, second, third])
    }
    this.#table = larger
  }
}

function insert(table: Uint32Array, [first, second, third]: readonly [number, number, number]): boolean {
  const places = table.length / WORDS
  for (let place = first % places; ; place = (place + 1) % places) {
    const at = place * WORDS
    if (table[at] === 0) {
      table.set([first, second, third], at)
      return true
    }
    if (table[at] === first && table[at + 1] === second && table[at + 2] === third) return false
  }
}
