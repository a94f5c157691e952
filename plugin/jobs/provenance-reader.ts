import { compartmentPaths, memberships } from '../fhir/patient-compartment.js'
import { type LocalReference, localReference } from '../fhir/reference.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import { findResource } from './find-resource.js'
import { IdSet } from './id-set.js'
import type { ProvenanceChoice } from './model.js'
import {
  LostPosition,
  type ReadOptions,
  type ReadResource,
  readMatches,
  readResources,
  type Selection,
} from './resource-reader.js'

/**
 * Reads the Provenance that is chosen by what it is about (Bulk Data 3.0.0, `includeAssociatedData`), each one
 * once, with the same care as `readResources`.
 *
 * For a list of resources, each is looked for by `target`: that costs one search for each of them. Of everyone's
 * compartments all Provenance is read and looked at.
 *
 * @param selection of Provenance itself
 * @param about selects the resources that it may be about, one selection for each type
 */
export async function* readProvenance(
  selection: Selection,
  which: ProvenanceChoice['which'],
  about: readonly Selection[],
  options: ReadOptions,
): AsyncGenerator<ReadResource> {
  if (which === 'compartment' && selection.cohort === 'everyone') {
    yield* readMatches(
      { ...selection, params: {}, isSelected: compartmentTest(selection, about, options) },
      options,
    )
    return
  }
  const { from, ...anew } = options
  const met = new IdSet()
  let count = 0
  for (const source of about) {
    for await (const { resource } of readResources(source, anew)) {
      const found = await provenanceOf(resource, selection, anew)
      for (const provenance of which === 'latest' ? newest(found) : found) {
        const { id } = provenance
        if (id === undefined || !met.add(id)) continue
        count += 1
        if (count > (from?.finished ?? 0)) {
          yield { resource: provenance, position: { path: 0, finished: count, lastId: id } }
        } else if (count === from?.finished && id !== from.lastId) throw new LostPosition()
      }
    }
  }
  if (count < (from?.finished ?? 0)) throw new LostPosition()
}

async function provenanceOf(
  { resourceType: type, id }: Resource,
  { base, ...selection }: Selection,
  options: ReadOptions,
): Promise<readonly Resource[]> {
  if (id === undefined) return []
  const found: Resource[] = []
  const matching = {
    ...selection,
    params: { target: `${type}/${id}` },
    isSelected: (resource: Resource) =>
      targetsOf(resource, base).some((target) => target.type === type && target.id === id),
  }
  for await (const { resource } of readMatches(matching, options)) found.push(resource)
  return found
}

/** By the time that it was recorded, which it must have, or was last updated. */
function newest(provenance: readonly Resource[]): readonly Resource[] {
  const [first] = [...provenance].sort(
    (a, b) => timeOf(b) - timeOf(a) || ((a.id ?? '') < (b.id ?? '') ? -1 : 1),
  )
  return first === undefined ? [] : [first]
}

function timeOf({ recorded, meta }: Resource): number {
  const times = [recorded, meta?.lastUpdated].map((value) => new Date(value as string | Date).getTime())
  return times.find((time) => !Number.isNaN(time)) ?? 0
}

function targetsOf({ target }: Resource, base: string): readonly LocalReference[] {
  return [target ?? []].flat().flatMap((each: unknown) => {
    const { reference } = (each ?? {}) as { reference?: unknown }
    return localReference(reference, base) ?? []
  })
}

/** What was found out about this many resources is remembered: much Provenance is about the same ones. */
const MOST_REMEMBERED = 10_000

/** Whether a Provenance is about a resource in the compartment of any patient. */
function compartmentTest(
  { base }: Selection,
  about: readonly Selection[],
  { search, signal }: ReadOptions,
): (resource: Resource) => Promise<boolean> {
  const types = new Set<ResourceType>(about.map(({ type }) => type))
  const known = new Map<string, boolean>()
  const isInCompartment = async ({ type, id }: LocalReference) => {
    if (!types.has(type) || compartmentPaths(type).length === 0) return false
    const key = `${type}/${id}`
    const remembered = known.get(key)
    if (remembered !== undefined) return remembered
    const found = await findResource(search, type, id, signal)
    const is = found !== undefined && memberships(found, base).length > 0
    if (known.size >= MOST_REMEMBERED) known.clear()
    known.set(key, is)
    return is
  }
  return async (resource) => {
    const targets = targetsOf(resource, base)
    if (targets.some(({ type }) => type === 'Patient')) return true
    for (const target of targets) if (await isInCompartment(target)) return true
    return false
  }
}
