import { operationOutcome } from '../errors.js'
import type { Resource } from '../fhir/resource.js'
import type { OutputFile, Position } from './model.js'
import type { ReadResource } from './reading.js'

/** When an output file is full. A single resource larger than `bytes` still gets a file of its own. */
export interface FileLimits {
  readonly resources: number
  readonly bytes: number
  /** A larger resource is not written, but named in an `error` file; default: no limit. */
  readonly resourceBytes?: number
}

/**
 * A part: the stretch of NDJSON that becomes one output file, and what could not be written on the way. All is final
 * once its lines have been drained.
 */
export interface Part {
  /** Absent when none of the resources of this part could be written. */
  readonly lines?: AsyncIterable<Uint8Array>
  readonly size: Pick<OutputFile, 'resources' | 'bytes'>
  /** One OperationOutcome for each resource that could not be written. */
  readonly problems: readonly Resource[]
  /** Where to go on after the last resource of this part. */
  readonly position: Position
}

/** How much is collected before it goes to the storage, in bytes. */
const WRITE_SIZE = 256 * 1024
/** The problems of a part are held in memory: with this many it is full. */
export const MOST_PROBLEMS = 1000

/**
 * Cuts a stream of resources into parts. Each part must be drained before the next one is asked for; a part
 * exists only if it has at least one resource, or a problem.
 *
 * @param shape what is written of a resource
 * @param isEnough asked before each resource but the first of a part; what comes then is for the next part
 */
export async function* cutIntoParts(
  resources: AsyncGenerator<ReadResource>,
  limits: FileLimits,
  shape: (resource: Resource) => Resource = (resource) => resource,
  isEnough: () => boolean = () => false,
): AsyncGenerator<Part> {
  const source = new LineSource(resources, shape, limits.resourceBytes ?? Infinity)
  try {
    for (;;) {
      const first = await source.peek()
      if (first === undefined) return
      const part = new GrowingPart(source, limits, isEnough, first.position)
      await part.begin()
      yield part
    }
  } finally {
    await resources.return(undefined)
  }
}

/** A resource on its way into a file. */
interface WritableLine {
  readonly text: string
  readonly bytes: number
  readonly position: Position
}

/** A resource that is not written. */
interface FailedLine {
  readonly problem: Resource
  readonly position: Position
}

type Line = WritableLine | FailedLine

class GrowingPart implements Part {
  lines?: AsyncIterable<Uint8Array>
  readonly size = { resources: 0, bytes: 0 }
  readonly problems: Resource[] = []

  constructor(
    private readonly source: LineSource,
    private readonly limits: FileLimits,
    private readonly isEnough: () => boolean,
    public position: Position,
  ) {}

  /** Goes as far as the first line, if there is one: a file without lines is not to be made. */
  async begin(): Promise<void> {
    const line = await this.#nextLine()
    if (line !== undefined) this.lines = this.#chunks()
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    let collected: string[] = []
    let bytes = 0
    for (let line = await this.#nextLine(); line !== undefined; line = await this.#nextLine()) {
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

  /** The next line of this part, left where it is; what cannot be written becomes a problem on the way. */
  async #nextLine(): Promise<WritableLine | undefined> {
    for (let line = await this.source.peek(); line !== undefined; line = await this.source.peek()) {
      if ('text' in line) return this.#isFullFor(line) ? undefined : line
      if (this.problems.length >= MOST_PROBLEMS) return undefined
      this.source.take()
      this.problems.push(line.problem)
      this.position = line.position
    }
    return undefined
  }

  #isFullFor(line: WritableLine): boolean {
    const { resources, bytes } = this.size
    if (this.problems.length >= MOST_PROBLEMS) return true
    if (resources === 0) return false
    return this.isEnough() || resources >= this.limits.resources || bytes + line.bytes > this.limits.bytes
  }
}

/** Resources as lines, with a look at the next one, which may have to wait for the next file. */
class LineSource {
  #next: Line | undefined

  constructor(
    private readonly resources: AsyncGenerator<ReadResource>,
    private readonly shape: (resource: Resource) => Resource,
    private readonly mostBytes: number,
  ) {}

  async peek(): Promise<Line | undefined> {
    if (this.#next !== undefined) return this.#next
    const { value, done } = await this.resources.next()
    if (done) return undefined
    this.#next = this.#lineOf(value)
    return this.#next
  }

  take(): void {
    this.#next = undefined
  }

  #lineOf({ resource, position }: ReadResource): Line {
    try {
      const text = `${toJson(this.shape(resource))}\n`
      const bytes = Buffer.byteLength(text)
      if (bytes <= this.mostBytes) return { text, bytes, position }
      return { problem: tooLarge(resource, bytes, this.mostBytes), position }
    } catch {
      // Why, the error may only say with the content of the resource.
      return { problem: problemWith(resource, 'it cannot be written as JSON', 'exception'), position }
    }
  }
}

/** The problem of a resource that takes more bytes than one may. */
export function tooLarge(resource: Resource, bytes: number, most: number): Resource {
  const reason = `it takes ${bytes} bytes, and this server writes no more than ${most} for a resource`
  return problemWith(resource, reason, 'too-long')
}

/** The problem of a resource that is left out. */
export function problemWith(
  { resourceType, id }: Resource,
  reason: string,
  code: 'too-long' | 'exception',
): Resource {
  const name = id === undefined ? `A ${resourceType} without an id` : `${resourceType}/${id}`
  const diagnostics = `${name} could not be exported: ${reason}.`
  return { ...operationOutcome([{ severity: 'error', code, diagnostics }]) }
}

/** A resource as one line of JSON, without the fields that only its storage has. */
function toJson(resource: Resource): string {
  const text: unknown = JSON.stringify(
    '_id' in resource || '__v' in resource ? withoutStorage(resource) : resource,
  )
  if (typeof text === 'string') return text
  throw new TypeError('The toJSON of a resource gives nothing.')
}

function withoutStorage({ _id, __v, ...fhir }: Resource): object {
  return fhir
}
