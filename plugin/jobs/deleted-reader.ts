import { ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import { compartmentOf } from '../fhir/patient-compartment.js'
import { RESOURCE_ID, type Resource, type ResourceType } from '../fhir/resource.js'
import { isWithinWindow, type Window } from '../fhir/window.js'
import type { DeletedResource, DeletedSince, HookContext } from '../search/host-hooks.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import type { Cohort } from './cohort.js'
import { findResource } from './find-resource.js'
import { IdSet } from './id-set.js'
import type { ReadResource } from './reading.js'

/** What was deleted, of these types and within this window. */
export interface DeletedSelection {
  readonly types: readonly ResourceType[]
  readonly window: Window & { readonly since: Date }
  /** Absent: every resource of the types. */
  readonly cohort?: Cohort
  /** The FHIR base URL of this server. */
  readonly base: string
}

export interface DeletedSources {
  readonly deletedSince: DeletedSince
  readonly search: SearchAdapter
  readonly context: HookContext
}

/** Resources named in one line. */
const BUNDLE_SIZE = 100

/**
 * Reads what was deleted, as transaction Bundles with a `DELETE` for each resource (Bulk Data 3.0.0, `deleted` of
 * the manifest). A resource that was there again at the transaction time is left out, since it is in the output.
 *
 * @throws ExportError naming an answer of the hook that cannot be used
 */
export async function* readDeleted(
  selection: DeletedSelection,
  sources: DeletedSources,
): AsyncGenerator<ReadResource> {
  let urls: string[] = []
  let finished = 0
  const bundle = (): ReadResource => {
    finished += 1
    return { resource: bundleOf(urls), position: { path: 0, finished } }
  }
  for (const type of selection.types) {
    for await (const id of deletedIds(type, selection, sources)) {
      urls.push(`${type}/${id}`)
      if (urls.length < BUNDLE_SIZE) continue
      yield bundle()
      urls = []
    }
  }
  if (urls.length > 0) yield bundle()
}

async function* deletedIds(
  type: ResourceType,
  { window, cohort, base }: DeletedSelection,
  { deletedSince, search, context }: DeletedSources,
): AsyncGenerator<string> {
  const met = new IdSet()
  for await (const deleted of await deletedSince(type, window.since, window.until, context)) {
    context.signal.throwIfAborted()
    const { id, deletedAt, patients } = checked(deleted, type)
    if (!isWithinWindow({ resourceType: type, meta: { lastUpdated: deletedAt } }, window)) continue
    if (!(await isMeant(patients, cohort)) || !met.add(id)) continue
    const again = await findResource(search, type, id, context.signal)
    const { since: _, ...upTo } = window
    const isThere = again !== undefined && isWithinWindow(again, upTo)
    // One that came back as another patient's is still gone from the compartments that are exported.
    if (!isThere || !(await isMeant(patientsOf(again, base), cohort))) yield id
  }
}

function patientsOf(resource: Resource, base: string): readonly string[] {
  return compartmentOf(versionOf(base))
    .memberships(resource, base)
    .map(({ patient }) => patient)
}

async function isMeant(patients: readonly string[], cohort: Cohort | undefined): Promise<boolean> {
  if (cohort === undefined) return true
  return cohort === 'everyone' ? patients.length > 0 : (await cohort.among(patients)).size > 0
}

function checked(deleted: DeletedResource, type: ResourceType): DeletedResource {
  const { id, deletedAt, patients } = (deleted ?? {}) as Partial<Record<keyof DeletedResource, unknown>>
  const isId = (value: unknown) => typeof value === 'string' && RESOURCE_ID.test(value)
  const isTime = deletedAt instanceof Date && !Number.isNaN(deletedAt.getTime())
  if (isId(id) && isTime && Array.isArray(patients) && patients.every(isId)) return deleted
  throw new ExportError(
    500,
    `The hook deletedSince gave something else for ${type} than { id, deletedAt, patients }: an id, a Date and a ` +
      'list of ids.',
  )
}

function bundleOf(urls: readonly string[]): Resource {
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: urls.map((url) => ({ request: { method: 'DELETE', url } })),
  }
}
