import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'

export interface Line {
  readonly text: string
  /** From 1 on, blank lines counted. */
  readonly number: number
}

const NEWLINE = 0x0a

/**
 * The lines of NDJSON bytes, without blank ones. Only a newline byte ends a line: JSON may hold other characters
 * that end lines elsewhere, such as U+2028.
 */
export async function* linesIn(source: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0
  let rest: Buffer[] = []
  for await (const bytes of source) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      number++
      const text = Buffer.concat([...rest, chunk.subarray(start, end)])
        .toString()
        .trim()
      if (text !== '') yield { text, number }
      rest = []
      start = end + 1
    }
    rest.push(chunk.subarray(start))
  }
  const text = Buffer.concat(rest).toString().trim()
  if (text !== '') yield { text, number: number + 1 }
}

/**
 * The lines of a file, unpacked if its name ends in `.gz`.
 *
 * @throws naming the file if it cannot be read or unpacked
 */
export function linesOf(path: string): AsyncGenerator<Line> {
  return linesIn(chunksOf(path))
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const packed = createReadStream(path)
  // The reader is told when the file cannot be read, and the file is closed when the reader stops.
  const source = path.endsWith('.gz') ? pipeline(packed, createGunzip(), () => undefined) : packed
  try {
    yield* source as AsyncIterable<Buffer>
  } catch (cause) {
    throw new Error(`${basename(path)}: ${(cause as Error).message}`, { cause })
  }
}
