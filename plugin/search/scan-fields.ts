import { withElements } from '../fhir/elements.js'
import type { ResourceType } from '../fhir/resource.js'

/** What becomes of a field; `tag` is for `meta`, which gets a tag when not all of a resource is written. */
export type FieldFate = 'write' | 'leave out' | 'tag'

/** The root elements that are asked for of a type, and the FHIR version by which others must be there. */
export interface AskedElements {
  readonly asked: readonly string[]
  readonly version: string
}

/** A tag that a resource gets: a Coding. */
export interface AddedTag {
  readonly system: string
  readonly code: string
}

/** Which fields of a document are written. */
export interface FieldChoice {
  /** 1 for each first byte of a name (the zero byte, of an empty one) for which `fateOf` must be asked; others are written. */
  readonly doubtful: Uint8Array
  /** The fate of the field whose name stands between these offsets. */
  fateOf(bytes: Buffer, from: number, to: number): FieldFate
}

/** All fields but these. */
export function allBut(names: readonly string[]): FieldChoice {
  const left = new Set(names)
  const doubtful = new Uint8Array(256)
  for (const name of left) doubtful[Buffer.from(`${name}\0`)[0] as number] = 1
  return {
    doubtful,
    fateOf: (bytes, from, to) => (left.has(bytes.toString('utf8', from, to)) ? 'leave out' : 'write'),
  }
}

/**
 * The root fields that `withElements` keeps of a resource of this type, less those of the storage.
 *
 * @param elements what is asked for by `_elements`
 */
export function onlyElements(
  type: ResourceType,
  elements: AskedElements,
  storageFields: readonly string[],
): FieldChoice {
  const known = new Map<string, FieldFate>(storageFields.map((name) => [name, 'leave out']))
  return {
    doubtful: new Uint8Array(256).fill(1),
    fateOf(bytes, from, to) {
      const name = bytes.toString('utf8', from, to)
      const fate = known.get(name) ?? fateByRule(type, name, elements)
      if (known.size < MOST_NAMES) known.set(name, fate)
      return fate
    },
  }
}

/** FHIR types have far fewer root elements; whatever else documents may have is not collected without end. */
const MOST_NAMES = 1000

/** `withElements` is the one place that knows the rule, so it is asked. */
function fateByRule(type: ResourceType, name: string, { asked, version }: AskedElements): FieldFate {
  if (name === 'meta') return 'tag'
  const kept = withElements({ [name]: true, resourceType: type }, asked, version)
  return Object.hasOwn(kept, name) ? 'write' : 'leave out'
}
