import type { Resource, ResourceType } from '../fhir/resource.js'
import { NdjsonBuffer } from '../search/scan-buffer.js'
import type { ScanLines } from '../search/scan-lines.js'
import type { Position } from './model.js'
import { type FileLimits, MOST_PROBLEMS, type Part, problemWith, tooLarge } from './output.js'
import type { ScanControl, ScanOrder } from './scan-order.js'

/**
 * Cuts the lines of a scan into parts, as `cutIntoParts` does with resources.
 *
 * @param longLook after so many ms without a line there is a part with a position only; by default 5,000
 * @param into where lines collect
 */
export async function* scanIntoParts(
  { type, limits }: Pick<ScanOrder, 'type' | 'limits'>,
  lines: ScanLines,
  { isEnough, signal }: ScanControl,
  { longLook = LONG_LOOK, into = chunkBuffer() }: { longLook?: number; into?: NdjsonBuffer } = {},
): AsyncGenerator<Part> {
  try {
    for (let isLast = false; !isLast; ) {
      const part = new ScannedPart(type, lines, limits, isEnough, signal, into, longLook)
      await part.begin()
      if (part.lines !== undefined || part.problems.length > 0 || part.isLongLook) yield part
      isLast = part.isLast
    }
  } finally {
    await lines.close()
  }
}

/** After so many ms without a line a scan says how far it is, so that it need not be done again and may give way. */
const LONG_LOOK = 5000
/** Small, since it is memory that is held; large enough that the storage is asked seldom. */
const CHUNK = 512 * 1024

export function chunkBuffer(): NdjsonBuffer {
  return new NdjsonBuffer(CHUNK)
}

class ScannedPart implements Part {
  lines?: AsyncIterable<Uint8Array>
  readonly size = { resources: 0, bytes: 0 }
  readonly problems: Resource[] = []
  /** Whether nothing comes after this part. */
  isLast = false
  /** Whether it has no more than a position, as nothing was found for long. */
  isLongLook = false
  #hasLooked = false

  constructor(
    private readonly type: ResourceType,
    private readonly source: ScanLines,
    private readonly limits: FileLimits,
    private readonly isEnough: () => boolean,
    private readonly signal: AbortSignal,
    private readonly into: NdjsonBuffer,
    private readonly longLook: number,
  ) {}

  get position(): Position {
    return { path: 0, finished: 0, ...this.source.position }
  }

  /** Goes as far as the first line, if there is one: a file without lines is not to be made. */
  async begin(): Promise<void> {
    const started = performance.now()
    while (!this.isLast && this.size.resources === 0 && this.problems.length < MOST_PROBLEMS) {
      if (this.#step() !== 'fetch') this.#hasLooked = true
      else {
        this.isLongLook = this.#hasLooked && performance.now() - started >= this.longLook
        if (this.isLongLook) return
        await this.#fetch()
      }
    }
    if (this.size.resources > 0) this.lines = this.#chunks()
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    const { into } = this
    for (let isFull = false; !isFull && !this.isLast; ) {
      const came = this.#step()
      isFull = came === 'full' || this.problems.length >= MOST_PROBLEMS
      if (came === 'fetch') isFull ||= await this.#fetch()
      if (!into.isFull) continue
      const chunk = into.take()
      yield chunk
      // As storages promise: whoever asks for the next chunk is done with this one.
      into.recycle(chunk)
    }
    if (into.length > 0) yield into.take()
  }

  /** Between two batches, so that it costs nothing, it is asked whether others wait: then the part is enough. */
  async #fetch(): Promise<boolean> {
    this.signal.throwIfAborted()
    if (!(await this.source.fetch())) this.isLast = true
    return this.isEnough()
  }

  get #resource(): Resource {
    const id = this.source.resourceId
    return { resourceType: this.type, ...(id === undefined ? {} : { id }) }
  }

  /** Takes in the next document; `full` when it has to wait for the next part. */
  #step(): 'went on' | 'fetch' | 'full' {
    const { source, size, limits } = this
    const start = this.into.length
    const step = source.next(this.into)
    if (step === 'fetch') return 'fetch'
    if (step === 'problem') this.problems.push(problemWith(this.#resource, source.problem, 'exception'))
    if (step !== 'line') return 'went on'
    const bytes = this.into.length - start
    const { resourceBytes = Infinity } = limits
    if (bytes > resourceBytes) {
      this.into.length = start
      this.problems.push(tooLarge(this.#resource, bytes, resourceBytes))
      return 'went on'
    }
    const isFull = size.resources >= limits.resources || size.bytes + bytes > limits.bytes
    if (size.resources > 0 && isFull) {
      source.back(this.into, start)
      return 'full'
    }
    size.resources += 1
    size.bytes += bytes
    return 'went on'
  }
}
