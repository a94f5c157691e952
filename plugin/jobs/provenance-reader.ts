import { createHash } from 'node:crypto'
import { versionOf } from '../fhir/base-url.js'
import { compartmentOf, type Membership } from '../fhir/patient-compartment.js'
import { type LocalReference, localReference } from '../fhir/reference.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import type { Cohort, CohortPatients } from './cohort.js'
import { findResource } from './find-resource.js'
import { IdSet } from './id-set.js'
import { readMatches } from './match-reader.js'
import type { ProvenanceChoice } from './model.js'
import { LostPosition, type ReadResource } from './reading.js'
import { type ResourceReadOptions as ReadOptions, readResources, type Selection } from './resource-reader.js'

/**
 * Reads the Provenance that is chosen by what it is about (Bulk Data 3.0.0, `includeAssociatedData`), each one
 * once, with the same care as `readResources`.
 *
 * That of a few patients, and that of exported resources, is looked for by `target`, with one search for each
 * resource that it may be about. Otherwise all Provenance of the window is read, and what it is about looked up.
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
  if (which === 'compartment' && (await isReadWhole(selection, options))) {
    const isSelected = compartmentTest(selection, about, options)
    yield* readMatches({ ...selection, params: {}, isSelected }, options)
    return
  }
  const { from, ...anew } = options
  const { finished: before = 0, digest: expected } = from ?? {}
  const met = new IdSet()
  const history = createHash('sha256')
  let finished = 0
  for await (const target of targetsFor(which, selection, about, anew)) {
    const found = provenanceOf(target, selection, anew)
    for await (const resource of which === 'latest' ? newest(found) : found) {
      const { id } = resource
      if (id === undefined || !met.add(id)) continue
      finished += 1
      const digest = history.update(`${id} `).copy().digest('base64url')
      if (finished > before) yield { resource, position: { path: 0, finished, digest } }
      // What came before is not the same any more, so that another one may have been left out since.
      else if (finished === before && digest !== expected) throw new LostPosition()
    }
  }
  if (finished < before) throw new LostPosition()
}

/** What Provenance may be about. A Patient is in its own compartment, whether it can be read or not. */
async function* targetsFor(
  which: ProvenanceChoice['which'],
  { cohort }: Selection,
  about: readonly Selection[],
  options: ReadOptions,
): AsyncGenerator<LocalReference> {
  const isByPatient = which === 'compartment' && typeof cohort === 'object'
  if (isByPatient) for await (const id of cohort.patients()) yield { type: 'Patient', id }
  for (const source of about) {
    if (isByPatient && source.type === 'Patient') continue
    for await (const { resource } of readResources(source, options)) {
      if (resource.id !== undefined) yield { type: source.type, id: resource.id }
    }
  }
}

/** For more patients, reading all Provenance costs less than a search for each of their resources. */
const FEW_PATIENTS = 100

/** A task that goes on does so in the way that it began, which its position tells. */
async function isReadWhole({ cohort, window }: Selection, options: ReadOptions): Promise<boolean> {
  if (options.from !== undefined) return options.from.digest === undefined
  if (cohort === undefined || cohort === 'everyone' || window.since !== undefined) return true
  return (await isLarge(cohort)) || (await isOnePage(options))
}

async function isLarge(cohort: CohortPatients): Promise<boolean> {
  let count = 0
  for await (const _ of cohort.patients()) {
    count += 1
    if (count > FEW_PATIENTS) return true
  }
  return false
}

/** Most servers have little Provenance, or none. */
async function isOnePage({ search, pages, signal }: ReadOptions): Promise<boolean> {
  const request = { type: 'Provenance', params: new URLSearchParams(), signal }
  return (await pages.first(search, request, 0)).next === undefined
}

async function* provenanceOf(
  { type, id }: LocalReference,
  { base, ...selection }: Selection,
  options: ReadOptions,
): AsyncGenerator<Resource> {
  const matching = {
    ...selection,
    params: { target: `${type}/${id}` },
    isSelected: (resource: Resource) =>
      targetsOf(resource, base).some((target) => target.type === type && target.id === id),
  }
  for await (const { resource } of readMatches(matching, options)) yield resource
}

/** By the time that it was recorded, which it must have, or was last updated. */
async function* newest(provenance: AsyncIterable<Resource>): AsyncGenerator<Resource> {
  let latest: Resource | undefined
  for await (const each of provenance) {
    if (latest === undefined || isNewer(each, latest)) latest = each
  }
  if (latest !== undefined) yield latest
}

function isNewer(a: Resource, b: Resource): boolean {
  const difference = timeOf(a) - timeOf(b)
  return difference === 0 ? (a.id ?? '') < (b.id ?? '') : difference > 0
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

/** Whether a Provenance is about a resource in the compartment of a patient of the cohort. */
function compartmentTest(
  { base, cohort = 'everyone' }: Selection,
  about: readonly Selection[],
  { search, signal }: ReadOptions,
): (resource: Resource) => Promise<boolean> {
  const types = new Set<ResourceType>(about.map(({ type }) => type))
  const known = new Map<string, boolean>()
  const compartment = compartmentOf(versionOf(base))
  const isInCompartment = async ({ type, id }: LocalReference) => {
    const key = `${type}/${id}`
    const remembered = known.get(key)
    if (remembered !== undefined) return remembered
    // A Patient is in its own compartment, there or not.
    const found =
      type === 'Patient' ? { resourceType: type, id } : await findResource(search, type, id, signal)
    const is = found !== undefined && (await isOfAny(compartment.memberships(found, base), cohort))
    if (known.size >= MOST_REMEMBERED) known.clear()
    known.set(key, is)
    return is
  }
  return async (resource) => {
    const targets = targetsOf(resource, base).filter(({ type }) => type === 'Patient' || types.has(type))
    // Those that cost no search first.
    targets.sort((a, b) => Number(b.type === 'Patient') - Number(a.type === 'Patient'))
    for (const target of targets) if (await isInCompartment(target)) return true
    return false
  }
}

async function isOfAny(found: readonly Membership[], cohort: Cohort): Promise<boolean> {
  if (cohort === 'everyone') return found.length > 0
  return (await cohort.among(found.map(({ patient }) => patient))).size > 0
}
