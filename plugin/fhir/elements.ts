import { type FhirRelease, releaseOf } from './fhir-version.js'
import { type Findings, quote } from './findings.js'
import { mandatoryElements } from './mandatory-elements.js'
import type { Resource, ResourceType } from './resource.js'

/** The root elements that are asked for, by type; types that are not named are exported whole. */
export type Elements = Readonly<Record<ResourceType, readonly string[]>>

/** The names of the root elements that a type has; choices under each of their names, such as `valueString`. */
export type ElementsOf = (type: ResourceType) => readonly string[]

const ELEMENT = /^(?:([A-Z][A-Za-z]*)\.)?([a-z][A-Za-z]*)(?:\[x\])?$/
/** Kept whether asked for or not: without them a resource is not what it says it is. */
const ALWAYS = ['resourceType', 'id', 'meta', 'implicitRules', 'modifierExtension']
/** The code system was given another name with R4. */
const SYSTEMS: Readonly<Record<FhirRelease, string>> = {
  R4: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  STU3: 'http://hl7.org/fhir/v3/ObservationValue',
  DSTU2: 'http://hl7.org/fhir/v3/ObservationValue',
}

/** The tag of a resource that has not all of its elements: a Coding. */
export interface SubsettedTag {
  readonly system: string
  readonly code: 'SUBSETTED'
}

/**
 * The tag of `withElements`.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported
 */
export function subsettedTag(version: string): SubsettedTag {
  return { system: SYSTEMS[releaseOf(version)], code: 'SUBSETTED' }
}

/**
 * Reads `_elements` (Bulk Data 3.0.0): `Type.element`, or `element` for all types. Only root elements can be
 * named; a choice goes by its name without the type (`value`) or by one with it (`valueString`).
 */
export function parseElements(
  values: readonly string[],
  {
    types,
    elementsOf,
    findings,
  }: { types: readonly ResourceType[]; elementsOf: ElementsOf; findings: Findings },
): Elements | undefined {
  const asked = new Map<ResourceType, string[]>()
  for (const name of values.flatMap((value) => value.split(',')).map((value) => value.trim())) {
    if (name === '') continue
    const [, type, element] = ELEMENT.exec(name) ?? []
    const wanted = type === undefined ? types : types.filter((each) => each === type)
    const having = wanted.filter((each) => element !== undefined && hasElement(elementsOf(each), element))
    if (element === undefined || having.length === 0) {
      findings.unsupported(`_elements ${quote(name)} is no root element of a type to export.`, '_elements')
      continue
    }
    for (const each of wanted) asked.set(each, [...(asked.get(each) ?? []), element])
  }
  return asked.size === 0 ? undefined : Object.fromEntries(asked)
}

/**
 * A resource with no more than the elements asked for and those that it must have, tagged `SUBSETTED`. The
 * resource itself stays as it is.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported
 */
export function withElements(resource: Resource, asked: readonly string[], version: string): Resource {
  const subsetted = subsettedTag(version)
  const kept = [...ALWAYS, ...mandatoryElements(resource.resourceType, version), ...asked]
  const entries = Object.entries(resource).filter(([key]) => {
    const name = key.replace(/^_/, '')
    return kept.some((element) => isElement(name, element))
  })
  const { tag, ...meta } = (resource.meta ?? {}) as { tag?: unknown }
  const others = (Array.isArray(tag) ? tag : []).filter((each) => !isSame(each, subsetted))
  return {
    ...(Object.fromEntries(entries) as unknown as Resource),
    meta: { ...meta, tag: [...others, subsetted] },
  }
}

function isSame(tag: unknown, other: SubsettedTag): boolean {
  const { system, code } = (tag ?? {}) as { system?: unknown; code?: unknown }
  return system === other.system && code === other.code
}

function hasElement(names: readonly string[], element: string): boolean {
  return names.some((name) => isElement(name, element))
}

/** `value` stands for `valueString` too. */
function isElement(name: string, element: string): boolean {
  if (name === element) return true
  return name.startsWith(element) && /^[A-Z]/.test(name.slice(element.length))
}
