/** A part of a file. */
export interface Chunk {
  /** Where it begins in the file. */
  readonly start: number
  readonly length: number
  readonly pieces: readonly Uint8Array[]
  readonly isLast: boolean
}

/** Memory is taken in blocks as bytes come: most files are small. */
const BLOCK = 128 * 1024

/**
 * A source in parts of exactly `size` bytes, the last of which may be shorter; a source of nothing is one empty part.
 * The bytes of a part are good until the part after the next is asked for: then its memory is used again, so that a
 * file of any length needs two parts of it.
 */
export async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Chunk, void, void> {
  let start = 0
  let filling = new Blocks()
  let resting = new Blocks()
  for await (const piece of source) {
    for (let taken = 0; taken < piece.length; ) {
      // Only now is it known that there is more.
      if (filling.length === size) {
        yield { start, length: size, pieces: filling.pieces(), isLast: false }
        start += size
        ;[filling, resting] = [resting, filling]
        filling.length = 0
      }
      const part = piece.subarray(taken, taken + size - filling.length)
      filling.add(part)
      taken += part.length
    }
  }
  yield { start, length: filling.length, pieces: filling.pieces(), isLast: true }
}

/** The pieces of a part from a place in the file on. */
export function piecesFrom({ start, pieces }: Chunk, place: number): readonly Uint8Array[] {
  let skipped = place - start
  return pieces.flatMap((piece) => {
    const rest = piece.subarray(Math.min(skipped, piece.length))
    skipped -= piece.length - rest.length
    return rest.length > 0 ? [rest] : []
  })
}

class Blocks {
  length = 0
  private readonly blocks: Uint8Array[] = []

  add(bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.length; ) {
      const index = Math.floor(this.length / BLOCK)
      const used = this.length % BLOCK
      const block = this.blocks[index] ?? Buffer.allocUnsafeSlow(BLOCK)
      this.blocks[index] = block
      const part = bytes.subarray(taken, taken + BLOCK - used)
      block.set(part, used)
      this.length += part.length
      taken += part.length
    }
  }

  pieces(): readonly Uint8Array[] {
    const count = Math.ceil(this.length / BLOCK)
    return this.blocks
      .slice(0, count)
      .map((block, index) => block.subarray(0, Math.min(BLOCK, this.length - index * BLOCK)))
  }
}
