import { hash } from 'node:crypto'

const NEWLINE = 0x0a
const MODULUS = 2n ** 64n

/**
 * Stands for the lines that were added, whatever their order: equal sums of equal counts mean equal lines. A sum, since an
 * XOR would not see a line that comes twice more.
 */
export class LineSum {
  lines = 0
  bytes = 0
  #sum = 0n

  /** Adds all lines of a file; the last one may lack its line break. */
  async add(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of chunks) {
      this.bytes += chunk.length
      rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
      let start = 0
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
        this.#addLine(rest.subarray(start, end))
        start = end + 1
      }
      rest = rest.subarray(start)
    }
    if (rest.length > 0) this.#addLine(rest)
  }

  /** Equal for equal lines. */
  toString(): string {
    return `${this.lines} lines, ${this.#sum.toString(16).padStart(16, '0')}`
  }

  #addLine(line: Buffer): void {
    this.lines += 1
    this.#sum = (this.#sum + hash('sha1', line, 'buffer').readBigUInt64LE()) % MODULUS
  }
}
