import { createHash } from 'node:crypto'

/** A megabyte, which in its binary form is what storages count in. */
export const MEGABYTE = 1024 * 1024

const PIECE = 64 * 1024

/** Random numbers from 0 up to 1, the same ones for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * So many bytes in pieces of 64 kB: the same ones for the same seed, none like another, each piece in a buffer of its
 * own, as an export makes them.
 */
export function* generatedBytes(total: number, seed = 1): Generator<Uint8Array, void, void> {
  const random = seededRandom(seed)
  const pattern = Buffer.allocUnsafeSlow(2 * PIECE)
  for (let at = 0; at < pattern.length; at += 4) pattern.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
  for (let position = 0; position < total; position += PIECE) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, total - position))
    pattern.copy(piece, 0, (position / PIECE) % PIECE)
    if (piece.length >= 8) piece.writeDoubleLE(position)
    yield piece
  }
}

/** The SHA-256 of all bytes of a stream, in hexadecimal. */
export async function digestOf(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  onPiece: () => void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of source) {
    hash.update(piece)
    onPiece()
  }
  return hash.digest('hex')
}
