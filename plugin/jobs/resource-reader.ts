import { versionOf } from '../fhir/base-url.js'
import { compartmentOf, type Membership } from '../fhir/patient-compartment.js'
import type { Resource, ResourceType } from '../fhir/resource.js'
import type { Window } from '../fhir/window.js'
import type { Cohort, CohortPatients } from './cohort.js'
import { inOrder } from './in-order.js'
import { type Matching, readMatches } from './match-reader.js'
import type { IdRange, Position } from './model.js'
import { LostPosition, type ReadOptions, type ReadResource } from './reading.js'

/** What to read: one resource type, within a window, of everything or of the compartments of a cohort. */
export interface Selection {
  readonly type: ResourceType
  readonly window: Window
  /** Absent: every resource of the type. */
  readonly cohort?: Cohort
  /** Of a cohort with names, only what is written for these of its patients; absent: all. */
  readonly patients?: IdRange
  /** The FHIR base URL of this server, which ends with the version. */
  readonly base: string
  /** Without a cohort: which of the resources; absent: all. */
  isExported?(resource: Resource): boolean
  /** Searches of which a resource must match at least one, as query strings; absent: no filter. */
  readonly queries?: readonly string[]
}

export interface ResourceReadOptions extends ReadOptions {
  /** For how many patients, or lists of them, searches run at the same time; default: 1. */
  readonly concurrency?: number
}

/**
 * Reads each selected resource exactly once through the host's searches, as streams or in pages.
 *
 * Nothing that a service returns is taken on trust: type, window and compartment of each resource are checked
 * here. A service that ignores a parameter makes this slower, never the result wider.
 *
 * A resource that several patients of the cohort share comes up in several searches; it is yielded only in the
 * search of the lowest of those patients, and there only by the first of the paths that lead to that patient. The searches
 * of the next patients run ahead, but what they find comes in the order of the patients.
 *
 * @throws LostPosition when `from` does not fit the data any more
 * @throws ExportError when a service hands out the same page again and again
 */
export function readResources(
  selection: Selection,
  options: ResourceReadOptions,
): AsyncGenerator<ReadResource> {
  const { cohort, base } = selection
  if (cohort !== undefined && cohort !== 'everyone') {
    const { concurrency = 1 } = options
    const searches = (signal: AbortSignal) => patientSearches(selection, cohort, { ...options, signal })
    return inOrder(searches, concurrency, options.signal)
  }
  const compartment = compartmentOf(versionOf(base))
  const isInCompartment = (resource: Resource) => compartment.memberships(resource, base).length > 0
  const { isExported = () => true } = selection
  const isSelected = cohort === undefined ? isExported : isInCompartment
  return readMatches({ ...selection, params: {}, isSelected }, options)
}

/** The searches for the patients of a cohort, each path after the other, as readers that have not begun. */
async function* patientSearches(
  { patients: range, ...selection }: Selection,
  cohort: CohortPatients,
  { from, ...options }: ReadOptions,
): AsyncGenerator<AsyncGenerator<ReadResource>> {
  const { type, base } = selection
  const compartment = compartmentOf(versionOf(base))
  const isPatient = type === 'Patient'
  const parameters = isPatient ? ['_id'] : compartment.paths(type).map(({ parameter }) => parameter)
  const listSize = options.search.listSize?.(type) ?? 1
  for await (const patients of listsOf(cohort, range, from, listSize)) {
    const [patient] = patients
    const isResumed = patient === from?.patient
    const members = new Set(patients)
    for (const [path, parameter] of parameters.entries()) {
      if (isResumed && path < (from?.path ?? 0)) continue
      const together = patients.length > 1 ? { together: patients.length } : {}
      const search: Matching = {
        ...selection,
        params: { [parameter]: patients.map((id) => (isPatient ? id : `Patient/${id}`)).join() },
        start: { patient, ...together, path, finished: 0 },
        isSelected: (resource) => isOwner({ members, path }, compartment.memberships(resource, base), cohort),
      }
      const isUnderWay = isResumed && path === from?.path
      yield readMatches(search, isUnderWay ? { ...options, from } : options)
    }
  }
}

/**
 * The patients as they are searched for together. Those of a position are the ones that it came about with, whatever the
 * service takes now.
 */
async function* listsOf(
  cohort: CohortPatients,
  range: IdRange | undefined,
  from: Position | undefined,
  listSize: number,
): AsyncGenerator<readonly [string, ...string[]]> {
  const { patient: first, together = 1 } = from ?? {}
  if (together > listSize) throw new LostPosition()
  let size = first === undefined ? listSize : together
  let list: string[] = []
  for await (const patient of cohort.patients({
    ...range,
    ...(first === undefined ? {} : { from: first }),
  })) {
    list.push(patient)
    if (list.length < size) continue
    yield list as [string, ...string[]]
    list = []
    size = listSize
  }
  if (list.length > 0) yield list as [string, ...string[]]
}

/** A search for some patients by one path. */
interface PatientSearch {
  readonly members: ReadonlySet<string>
  readonly path: number
}

/**
 * Whether a resource is written in the search that it was found in: in that of the lowest patient of the cohort,
 * by the first path. References that not every search finds count only when there are no others.
 */
function isOwner(
  { members: here, path }: PatientSearch,
  all: readonly Membership[],
  cohort: CohortPatients,
): boolean | Promise<boolean> {
  if (!all.some(({ patient }) => here.has(patient))) return false
  const others = [...new Set(all.map(({ patient }) => patient))].filter((patient) => !here.has(patient))
  const isFirst = (members: ReadonlySet<string>) => {
    const candidates = all.filter(({ patient }) => here.has(patient) || members.has(patient))
    const plain = candidates.filter(({ isPlain }) => isPlain)
    const [owner] = (plain.length > 0 ? plain : candidates).sort(byPatientAndPath)
    return owner !== undefined && here.has(owner.patient) && owner.path === path
  }
  return others.length === 0 ? isFirst(NOBODY) : cohort.among(others).then(isFirst)
}

const NOBODY: ReadonlySet<string> = new Set()

function byPatientAndPath(a: Membership, b: Membership): number {
  if (a.patient === b.patient) return a.path - b.path
  return a.patient < b.patient ? -1 : 1
}
