/** How many blocks one blob may have. */
export const MOST_BLOCKS = 50_000
/** After so many blocks they become twice as large, so that a few large files are possible and many small are cheap. */
const STEP = 10_000
/** Of the service, in bytes. */
const LARGEST_BLOCK = 4000 * 1024 * 1024
const FIRST_ROOM = 64 * 1024

/** How many bytes a block has, all but the last one of a blob. */
export function sizeOfBlock(index: number, first: number): number {
  return Math.min(first * 2 ** Math.floor(index / STEP), LARGEST_BLOCK)
}

/**
 * The bytes of a source in blocks; none for a source without bytes.
 *
 * @param spare blocks that are not needed any more, whose memory is used again: collecting garbage of this size
 *   lags behind
 * @throws RangeError for a source with more bytes than a blob has room for
 */
export async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  first: number,
  spare: Uint8Array[],
): AsyncGenerator<Uint8Array, void, void> {
  let index = 0
  let size = sizeOfBlock(0, first)
  // Most files are small: the first block takes memory as it grows.
  let block: Uint8Array = Buffer.allocUnsafeSlow(Math.min(size, FIRST_ROOM))
  let length = 0
  for await (const piece of source) {
    let position = 0
    while (position < piece.length) {
      const end = Math.min(piece.length, position + size - length)
      block = withRoom(block, length, length + end - position, size)
      block.set(piece.subarray(position, end), length)
      length += end - position
      position = end
      if (length < size) continue
      yield block
      index += 1
      if (index === MOST_BLOCKS) throw new RangeError(`A file is too large for ${MOST_BLOCKS} blocks.`)
      size = sizeOfBlock(index, first)
      block = blockOf(size, spare)
      length = 0
    }
  }
  if (length > 0) yield block.subarray(0, length)
}

function blockOf(size: number, spare: Uint8Array[]): Uint8Array {
  const block = spare.pop()
  return block?.length === size ? block : Buffer.allocUnsafeSlow(size)
}

function withRoom(block: Uint8Array, length: number, needed: number, most: number): Uint8Array {
  if (needed <= block.length) return block
  const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(needed, 2 * block.length)))
  larger.set(block.subarray(0, length))
  return larger
}
