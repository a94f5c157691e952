/** A piece of a file that is sent in one request. */
export interface Part {
  /** From 1. */
  readonly number: number
  readonly bytes: Uint8Array
  readonly isLast: boolean
  /** Gives the memory back, for a later part. Not calling it costs memory only. */
  release(): void
}

const MIB = 1024 * 1024
/** What S3 takes. */
const MOST_PARTS = 10_000
/** After so many parts they grow: to 8 GB, with parts of 8 MiB, they are all of a size, as some servers want. */
const PARTS_OF_A_SIZE = 1000
/** Parts do not grow beyond this. With encryption a part under way is in memory twice, and the next one is filled. */
const LARGEST_GROWN = 28 * MIB
/** How many bytes are under way at once, as far as parts are no larger, and how many parts. */
const BYTES_UNDER_WAY = 24 * MIB
const PARTS_UNDER_WAY = 3
/** How much memory a file has at first, in bytes. */
const FIRST_BUFFER = 64 * 1024

/**
 * How large a part may be. They grow as a file does, so that 10,000 are enough for 240 GB with a first size of 8 MiB,
 * and less than 100 MB of memory for each file at any time. S3 wants to know how large a part is before its first
 * byte, so that larger ones need more memory: with a first size of 550 MB files may have 5 TB.
 */
export function partSizeFor(number: number, first: number): number {
  const doublings = Math.floor((number - 1) / PARTS_OF_A_SIZE)
  return Math.max(first, Math.min(LARGEST_GROWN, first * 2 ** doublings))
}

/** How many parts of a size are sent at the same time. */
export function partsUnderWay(size: number): number {
  return Math.min(PARTS_UNDER_WAY, Math.max(1, Math.floor(BYTES_UNDER_WAY / size)))
}

/**
 * Cuts a source into parts: at least one, and all full but the last. The bytes of the source are copied.
 *
 * @param first how large the first part may be, in bytes
 * @throws Error with code `EFBIG` when there is more than fits into all parts
 */
export async function* partsOf(
  source: AsyncIterable<Uint8Array>,
  first: number,
): AsyncGenerator<Part, void, void> {
  // Used again, since memory counts until the collector has seen that nobody uses it.
  const spare: Buffer[] = []
  let number = 1
  let size = first
  let buffer: Buffer = Buffer.allocUnsafeSlow(Math.min(first, FIRST_BUFFER))
  let length = 0
  const part = (isLast: boolean): Part => {
    const used = buffer
    return { number, bytes: used.subarray(0, length), isLast, release: () => spare.push(used) }
  }
  for await (const piece of source) {
    for (let position = 0; position < piece.length; ) {
      if (length === size) {
        if (number === MOST_PARTS) throw tooLarge(first)
        yield part(false)
        number += 1
        size = partSizeFor(number, first)
        buffer = bufferOf(size, spare)
        length = 0
      }
      const count = Math.min(piece.length - position, size - length)
      if (length + count > buffer.length) buffer = larger(buffer, length + count, size)
      buffer.set(piece.subarray(position, position + count), length)
      length += count
      position += count
    }
  }
  yield part(true)
}

function bufferOf(size: number, spare: Buffer[]): Buffer {
  const found = spare.pop()
  if (found?.length === size) return found
  spare.length = 0
  return Buffer.allocUnsafeSlow(size)
}

function larger(buffer: Buffer, needed: number, size: number): Buffer {
  const grown = Buffer.allocUnsafeSlow(Math.min(size, Math.max(needed, 2 * buffer.length)))
  grown.set(buffer)
  return grown
}

function tooLarge(first: number): Error {
  const message = `The file is larger than ${MOST_PARTS} parts that begin with ${first} bytes: set a larger partSize.`
  return Object.assign(new Error(message), { code: 'EFBIG' })
}
