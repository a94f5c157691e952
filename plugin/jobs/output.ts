import type { Resource } from '../fhir/resource.js'
import type { OutputFile, Position } from './model.js'
import type { ReadResource } from './resource-reader.js'

/** When an output file is full. A single resource larger than `bytes` still gets a file of its own. */
export interface FileLimits {
  readonly resources: number
  readonly bytes: number
}

/** A part: the stretch of NDJSON that becomes one output file. Its figures are final once it has been drained. */
export interface Part {
  readonly lines: AsyncIterable<Uint8Array>
  readonly size: Pick<OutputFile, 'resources' | 'bytes'>
  /** Where to go on after the last resource of this part. */
  readonly position: Position
}

/** How much is collected before it goes to the storage, in bytes. */
const WRITE_SIZE = 256 * 1024

/**
 * Cuts a stream of resources into parts. Each part must be drained before the next one is asked for; a part
 * exists only if it has at least one resource.
 *
 * @param shape what is written of a resource
 */
export async function* cutIntoParts(
  resources: AsyncGenerator<ReadResource>,
  limits: FileLimits,
  shape: (resource: Resource) => Resource = (resource) => resource,
): AsyncGenerator<Part> {
  const source = new LineSource(resources, shape)
  try {
    for (;;) {
      const first = await source.peek()
      if (first === undefined) return
      const part = new GrowingPart(source, limits, first.position)
      yield part
    }
  } finally {
    await resources.return(undefined)
  }
}

interface Line {
  readonly text: string
  readonly bytes: number
  readonly position: Position
}

class GrowingPart implements Part {
  readonly size = { resources: 0, bytes: 0 }

  constructor(
    private readonly source: LineSource,
    private readonly limits: FileLimits,
    public position: Position,
  ) {}

  get lines(): AsyncGenerator<Uint8Array> {
    return this.#chunks()
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    let collected: string[] = []
    let bytes = 0
    for (let line = await this.source.peek(); line !== undefined; line = await this.source.peek()) {
      if (this.#isFullFor(line)) break
      this.source.take()
      this.size.resources += 1
      this.size.bytes += line.bytes
      this.position = line.position
      collected.push(line.text)
      bytes += line.bytes
      if (bytes < WRITE_SIZE) continue
      yield Buffer.from(collected.join(''))
      collected = []
      bytes = 0
    }
    if (bytes > 0) yield Buffer.from(collected.join(''))
  }

  #isFullFor(line: Line): boolean {
    const { resources, bytes } = this.size
    if (resources === 0) return false
    return resources >= this.limits.resources || bytes + line.bytes > this.limits.bytes
  }
}

/** Resources as lines, with a look at the next one, which may have to wait for the next file. */
class LineSource {
  #next: Line | undefined

  constructor(
    private readonly resources: AsyncGenerator<ReadResource>,
    private readonly shape: (resource: Resource) => Resource,
  ) {}

  async peek(): Promise<Line | undefined> {
    if (this.#next !== undefined) return this.#next
    const { value, done } = await this.resources.next()
    if (done) return undefined
    const text = `${toJson(this.shape(value.resource))}\n`
    this.#next = { text, bytes: Buffer.byteLength(text), position: value.position }
    return this.#next
  }

  take(): void {
    this.#next = undefined
  }
}

/** A resource as one line of JSON, without the fields that only its storage has. */
function toJson(resource: Resource): string {
  if (!('_id' in resource || '__v' in resource)) return JSON.stringify(resource)
  const { _id, __v, ...fhir } = resource
  return JSON.stringify(fhir)
}
