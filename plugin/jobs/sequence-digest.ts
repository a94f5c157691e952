/**
 * What stands for a sequence of ids, of which there may be millions: the same ids in the same order give the same value,
 * and in practice nothing else does. It guards against data that change, not against somebody who makes ids up to deceive.
 */
export class SequenceDigest {
  #first = 0x811c9dc5
  #second = 0x9e3779b9

  add(id: string): void {
    let [first, second] = [this.#first, this.#second]
    for (let index = 0; index < id.length; index += 1) {
      const code = id.charCodeAt(index)
      first = Math.imul(first ^ code, 0x01000193)
      second = Math.imul(second ^ code, 0x5bd1e995)
    }
    // No id has this character, so that "a", "b" and "ab" are not the same.
    this.#first = Math.imul(first ^ SEPARATOR, 0x01000193)
    this.#second = Math.imul(second ^ SEPARATOR, 0x5bd1e995)
  }

  get value(): string {
    return `${(this.#first >>> 0).toString(36)}-${(this.#second >>> 0).toString(36)}`
  }
}

const SEPARATOR = 0x20
