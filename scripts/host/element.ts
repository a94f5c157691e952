import type { SchemaClass } from './core.js'

/** One element of a data type, backbone element or resource, as the core's schema class declares it. */
export interface Element {
  readonly name: string
  /** Whether FHIR JSON has a list here. */
  readonly isArray: boolean
  /** The class of a complex element; absent for a primitive one (and for a contained resource). */
  readonly schema?: SchemaClass
}

const PRIMITIVES = [
  'Base64Binary',
  'Boolean',
  'Canonical',
  'Code',
  'Date',
  'DateTime',
  'Decimal',
  'Id',
  'Instant',
  'Integer',
  'Markdown',
  'Oid',
  'PositiveInt',
  'String',
  'Time',
  'UnsignedInt',
  'Uri',
  'Url',
  'Uuid',
]

const known = new WeakMap<SchemaClass, ReadonlyMap<string, Element>>()

/**
 * The elements of a class by name. The classes declare their elements as setters only, so each is given a
 * value and asked what became of it: the same object, an instance of a class, or a list of one of these.
 */
export function elementsOf(schema: SchemaClass): ReadonlyMap<string, Element> {
  const found = known.get(schema)
  if (found !== undefined) return found
  const elements = new Map<string, Element>()
  for (const name of Object.keys(new schema({}))) {
    if (!name.startsWith('_') && name !== 'resourceType') elements.set(name, probe(schema, name))
  }
  known.set(schema, elements)
  return elements
}

/**
 * All forms of the choice element that this element is one form of, such as `effectiveDateTime`,
 * `effectivePeriod`, ... each with the name of its data type; empty if it is not part of a choice.
 */
export function choiceOf(schema: SchemaClass, element: Element): { element: Element; dataType: string }[] {
  const stem = stemOf(element)
  if (stem === undefined) return []
  const forms = [...elementsOf(schema).values()]
    .filter((other) => stemOf(other) === stem)
    .map((other) => ({ element: other, dataType: dataTypeOf(other.name.slice(stem.length)) }))
  return forms.length > 1 ? forms : []
}

function probe(schema: SchemaClass, name: string): Element {
  const value = {}
  const instance = new schema({ [name]: value }) as Readonly<Record<string, unknown>>
  const set = instance[name]
  const isArray = Array.isArray(set)
  const one: unknown = isArray ? set[0] : set
  if (one === value || typeof one !== 'object' || one === null) return { name, isArray }
  return { name, isArray, schema: one.constructor as SchemaClass }
}

/** `effective` of `effectiveDateTime`: the name without that of its data type, if that is how it ends. */
function stemOf({ name, isArray, schema }: Element): string | undefined {
  if (isArray) return undefined
  const suffixes =
    schema === undefined ? PRIMITIVES.filter((type) => name.endsWith(type)) : [schema.resourceType]
  const [suffix] = suffixes.sort((a, b) => b.length - a.length)
  return suffix !== undefined && name.endsWith(suffix) && name.length > suffix.length
    ? name.slice(0, -suffix.length)
    : undefined
}

function dataTypeOf(suffix: string): string {
  return PRIMITIVES.includes(suffix) ? suffix.charAt(0).toLowerCase() + suffix.slice(1) : suffix
}
