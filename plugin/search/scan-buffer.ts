/** Chunks that are kept for use again: several may be on their way at the same time. */
const SPARE = 4

/**
 * Where lines of NDJSON collect until they are taken as one chunk. Whoever writes the bytes moves `length` himself,
 * after `reserve` has made room.
 */
export class NdjsonBuffer {
  /** As long as there is room; what counts ends at `length`. Another object after `reserve` has grown it. */
  bytes: Buffer
  /** The same bytes. */
  view: DataView
  length = 0
  readonly #size: number
  readonly #slack: number
  readonly #spare: Buffer[] = []

  /**
   * @param size bytes after which a chunk is full; 1 MiB by default
   * @param slack bytes of room beyond that, so that the last resource of a chunk seldom makes it grow; 256 KiB by default
   */
  constructor(size: number = 1024 * 1024, slack: number = 256 * 1024) {
    this.#size = size
    this.#slack = slack
    this.bytes = this.#fresh()
    this.view = viewOf(this.bytes)
  }

  /** Whether it is time for `take`. A chunk that goes on growing is never wrong, only large. */
  get isFull(): boolean {
    return this.length >= this.#size
  }

  /** Makes room for so many bytes from the start on; `bytes` and `view` may be others afterwards. */
  reserve(total: number): void {
    if (total <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(total, this.bytes.length * 2))
    // All of it and not only up to `length`, because the line that asks for more is not counted yet.
    larger.set(this.bytes)
    this.#hold(larger)
  }

  /** What has collected; the buffer begins anew with other bytes, so these may be sent or transferred at leisure. */
  take(): Uint8Array {
    const chunk = this.bytes.subarray(0, this.length)
    this.length = 0
    this.#hold(this.#spare.pop() ?? this.#fresh())
    return chunk
  }

  /** Gives a chunk back once nobody reads it any more, which saves making the next one. Need not be done, and
   * changes nothing when the chunk was transferred. */
  recycle(chunk: Uint8Array): void {
    const { buffer } = chunk
    if (buffer.byteLength !== this.#size + this.#slack || this.#spare.length >= SPARE) return
    this.#spare.push(Buffer.from(buffer))
  }

  #fresh(): Buffer {
    return Buffer.allocUnsafeSlow(this.#size + this.#slack)
  }

  #hold(bytes: Buffer): void {
    this.bytes = bytes
    this.view = viewOf(bytes)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
