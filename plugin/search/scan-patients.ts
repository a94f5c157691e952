import { randomBytes } from 'node:crypto'

/** Bytes for ids to begin with; they grow by half. */
const FIRST_BYTES = 4096
const FIRST_PLACES = 256

/** All that a set is, for another thread: its memory is shared and not copied. Nothing may be added to it any more. */
export interface SharedPatients {
  readonly ids: Uint8Array
  readonly used: number
  readonly places: Uint32Array
  readonly size: number
  readonly seed: number
}

/**
 * Ids of patients, packed: for a million UUIDs some 60 MB. Asked with the bytes of an id, so that no text has to be made
 * for each reference that is looked up. The ids themselves are compared, so no other is ever taken for one of them.
 */
export class PatientSet {
  /** One id after the other, each after a byte with its length. */
  #ids = sharedBytes(FIRST_BYTES)
  #used = 0
  /** Where ids begin, plus 1; 0 is an empty place. At most half of them are taken. */
  #places = sharedPlaces(FIRST_PLACES)
  #size = 0
  /** Whoever chooses ids must not know which of them meet in one place. */
  #seed = randomBytes(4).readInt32LE()

  /** A set that another thread has filled. */
  static from({ ids, used, places, size, seed }: SharedPatients): PatientSet {
    const set = new PatientSet()
    set.#ids = ids
    set.#used = used
    set.#places = places
    set.#size = size
    set.#seed = seed
    return set
  }

  share(): SharedPatients {
    return { ids: this.#ids, used: this.#used, places: this.#places, size: this.#size, seed: this.#seed }
  }

  /** How many ids there are. */
  get size(): number {
    return this.#size
  }

  /** @param id as FHIR allows it: at most 64 letters, digits, hyphens and dots */
  add(id: string): void {
    const bytes = Buffer.from(id)
    if (bytes.length > 255) throw new RangeError('An id has at most 64 characters.')
    if (this.has(bytes, 0, bytes.length)) return
    if (2 * (this.#size + 1) > this.#places.length) this.#spread()
    this.#makeRoom(bytes.length + 1)
    this.#place(this.#hash(bytes, 0, bytes.length), this.#used)
    this.#ids[this.#used] = bytes.length
    this.#ids.set(bytes, this.#used + 1)
    this.#used += bytes.length + 1
    this.#size += 1
  }

  /** Whether the id that stands between these offsets is among them. */
  has(bytes: Uint8Array, from: number, to: number): boolean {
    const places = this.#places
    const mask = places.length - 1
    for (let place = this.#hash(bytes, from, to) & mask; ; place = (place + 1) & mask) {
      const at = places[place] as number
      if (at === 0) return false
      if (this.#isAt(at - 1, bytes, from, to)) return true
    }
  }

  #isAt(at: number, bytes: Uint8Array, from: number, to: number): boolean {
    const ids = this.#ids
    if (ids[at] !== to - from) return false
    for (let index = from, own = at + 1; index < to; index++, own++) {
      if (ids[own] !== bytes[index]) return false
    }
    return true
  }

  #place(hash: number, at: number): void {
    const mask = this.#places.length - 1
    let place = hash & mask
    while (this.#places[place] !== 0) place = (place + 1) & mask
    this.#places[place] = at + 1
  }

  #spread(): void {
    this.#places = sharedPlaces(this.#places.length * 2)
    for (let at = 0; at < this.#used; ) {
      const end = at + 1 + (this.#ids[at] as number)
      this.#place(this.#hash(this.#ids, at + 1, end), at)
      at = end
    }
  }

  #makeRoom(more: number): void {
    if (this.#used + more <= this.#ids.length) return
    const larger = sharedBytes(Math.ceil(this.#ids.length * 1.5) + more)
    larger.set(this.#ids.subarray(0, this.#used))
    this.#ids = larger
  }

  /** FNV-1a, with the last step of MurmurHash3 so that ids which differ little lie far apart. */
  #hash(bytes: Uint8Array, from: number, to: number): number {
    let hash = this.#seed ^ 0x811c9dc5
    for (let index = from; index < to; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }
}

function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length))
}

function sharedPlaces(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT))
}
