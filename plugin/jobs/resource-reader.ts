import { compartmentPaths, type Membership, memberships } from '../fhir/patient-compartment.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import { isWithinWindow, type Window } from '../fhir/window.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import type { Cohort, CohortPatients } from './cohort.js'
import { IdSet } from './id-set.js'
import type { IdRange, Position } from './model.js'
import { PageHistory } from './page-history.js'
import type { PageSizes } from './page-size.js'

/** What to read: one resource type, within a window, of everything or of the compartments of a cohort. */
export interface Selection {
  readonly type: ResourceType
  readonly window: Window
  /** Absent: every resource of the type. */
  readonly cohort?: Cohort
  /** Of a cohort with names, only what is written for these of its patients; absent: all. */
  readonly patients?: IdRange
  /** The FHIR base URL of this server. */
  readonly base: string
  /** Without a cohort: which of the resources; absent: all. */
  isExported?(resource: Resource): boolean
  /** Searches of which a resource must match at least one, as query strings; absent: no filter. */
  readonly queries?: readonly string[]
}

export interface ReadOptions {
  readonly search: SearchAdapter
  readonly pages: PageSizes
  readonly signal: AbortSignal
  /** Go on after this position instead of beginning. */
  readonly from?: Position
}

export interface ReadResource {
  readonly resource: Resource
  /** Where to go on after this resource. */
  readonly position: Position
}

/** Thrown when the data under a stored position is no longer the same, so that reading must begin anew. */
export class LostPosition extends Error {}

/**
 * Reads each selected resource exactly once, in pages, through the host's searches.
 *
 * Nothing that a service returns is taken on trust: type, window and compartment of each resource are checked
 * here. A service that ignores a parameter makes this slower, never the result wider.
 *
 * A resource that several patients of the cohort share comes up in several searches; it is yielded only in the
 * search of the lowest of those patients, and there only by the first of the paths that lead to that patient.
 *
 * @throws LostPosition when `from` does not fit the data any more
 * @throws ExportError when a service hands out the same page again and again
 */
export async function* readResources(
  selection: Selection,
  options: ReadOptions,
): AsyncGenerator<ReadResource> {
  const { cohort, type, base } = selection
  const { from } = options
  if (cohort === undefined || cohort === 'everyone') {
    const isInCompartment = (resource: Resource) => memberships(resource, base).length > 0
    const { isExported = () => true } = selection
    const isSelected = cohort === undefined ? isExported : isInCompartment
    yield* readMatches({ ...selection, params: {}, isSelected }, options)
    return
  }
  const parameters = type === 'Patient' ? ['_id'] : compartmentPaths(type).map(({ parameter }) => parameter)
  const { patients, ...matching } = selection
  const resumed = from?.patient === undefined ? {} : { from: from.patient }
  for await (const patient of cohort.patients({ ...patients, ...resumed })) {
    const isResumed = patient === from?.patient
    for (const [path, parameter] of parameters.entries()) {
      if (isResumed && path < from.path) continue
      const search: Matching = {
        ...matching,
        params: { [parameter]: type === 'Patient' ? patient : `Patient/${patient}` },
        start: { patient, path, finished: 0 },
        isSelected: (resource) => isOwner({ patient, path }, memberships(resource, base), cohort),
      }
      const { from: _, ...anew } = options
      yield* readMatches(search, isResumed && path === from.path ? options : anew)
    }
  }
}

/** What one search is to find. */
export interface Matching extends Pick<Selection, 'type' | 'window' | 'queries'> {
  /** Makes the search narrower; what the service made of it `isSelected` has to check. */
  readonly params: Readonly<Record<string, string>>
  /** What positions within this search begin with. */
  readonly start?: Position
  isSelected(resource: Resource): boolean | Promise<boolean>
}

/**
 * Reads what matches, with the same care as `readResources`: a search for each filter query; a resource that
 * matches several comes once. What has come is known only while this runs, so resuming goes through everything
 * before the position again, without handing it out.
 */
export async function* readMatches(
  matching: Matching,
  { from, ...options }: ReadOptions,
): AsyncGenerator<ReadResource> {
  const { queries = [''] } = matching
  const search = { ...matching, start: matching.start ?? { path: 0, finished: 0 } }
  if (queries.length === 1) {
    yield* readSearch({ ...search, query: queries[0] as string }, options, from)
    return
  }
  const met = new IdSet()
  let isPast = from === undefined
  for (const [index, query] of queries.entries()) {
    const start = index === 0 ? search.start : { ...search.start, query: index }
    for await (const found of readSearch({ ...search, query, start }, options, undefined)) {
      if (found.resource.id !== undefined && !met.add(found.resource.id)) continue
      if (isPast) yield found
      else isPast = isSame(found.position, from)
    }
  }
  if (!isPast) throw new LostPosition()
}

function isSame(a: Position, b: Position | undefined): boolean {
  const parts = ({ query = 0, page, finished, lastId }: Position) => [query, page, finished, lastId].join()
  return b !== undefined && parts(a) === parts(b)
}

type OneSearch = Matching & { readonly start: Position; readonly query: string }

async function* readSearch(
  { type, window, query, params, start, isSelected }: OneSearch,
  { search, pages, signal }: ReadOptions,
  from: Position | undefined,
): AsyncGenerator<ReadResource> {
  const searched = searchParams(query, params, window)
  const history = new PageHistory(type)
  let next = from?.page
  let finished = from?.finished ?? 0
  do {
    signal.throwIfAborted()
    const request = { type, params: searched, signal }
    const page =
      next === undefined
        ? await pages.first(search, request, finished)
        : await search.search({ ...request, pageSize: pages.of(type), next })
    if (finished > 0 && page.resources[finished - 1]?.id !== from?.lastId) throw new LostPosition()
    history.add(page)
    for (const [index, resource] of page.resources.entries()) {
      if (index < finished || resource.resourceType !== type || !isWithinWindow(resource, window)) continue
      const selected = isSelected(resource)
      if (!(typeof selected === 'boolean' ? selected : await selected)) continue
      const position = {
        ...start,
        ...(next === undefined ? {} : { page: next }),
        finished: index + 1,
        ...(resource.id === undefined ? {} : { lastId: resource.id }),
      }
      yield { resource, position }
    }
    finished = 0
    next = page.next
  } while (next !== undefined)
}

/**
 * The filter's own parameters and, as far as it does not use the same ones, those that make the search narrower:
 * the core refuses a parameter that is given twice. What is not searched for is checked anyway.
 */
function searchParams(
  query: string,
  params: OneSearch['params'],
  { since, before }: Window,
): URLSearchParams {
  const searched = new URLSearchParams(query)
  const used = new Set([...searched.keys()].map((name) => name.split(':')[0]))
  for (const [name, value] of Object.entries(params)) if (!used.has(name)) searched.set(name, value)
  if (used.has('_lastUpdated')) return searched
  // Milliseconds always: by the rules of FHIR search, "gt" a full second leaves out all of that second.
  if (since !== undefined) searched.set('_lastUpdated', `gt${since.toISOString()}`)
  else if (before !== undefined) searched.set('_lastUpdated', `lt${before.toISOString()}`)
  return searched
}

/**
 * Whether a resource is written in the search that it was found in: in that of the lowest patient of the cohort,
 * by the first path. References that not every search finds count only when there are no others.
 */
function isOwner(
  here: Pick<Membership, 'patient' | 'path'>,
  all: readonly Membership[],
  cohort: CohortPatients,
): boolean | Promise<boolean> {
  if (!all.some(({ patient }) => patient === here.patient)) return false
  const others = [...new Set(all.map(({ patient }) => patient))].filter((patient) => patient !== here.patient)
  const isFirst = (members: ReadonlySet<string>) => {
    const candidates = all.filter(({ patient }) => patient === here.patient || members.has(patient))
    const plain = candidates.filter(({ isPlain }) => isPlain)
    const [owner] = (plain.length > 0 ? plain : candidates).sort(byPatientAndPath)
    return owner?.patient === here.patient && owner.path === here.path
  }
  return others.length === 0 ? isFirst(NOBODY) : cohort.among(others).then(isFirst)
}

const NOBODY: ReadonlySet<string> = new Set()

function byPatientAndPath(a: Membership, b: Membership): number {
  if (a.patient === b.patient) return a.path - b.path
  return a.patient < b.patient ? -1 : 1
}
