import { ExportError } from '../errors.js'
import { groupMembers, groupObstacle } from '../fhir/group.js'
import type { Resource } from '../fhir/resource.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import { PageHistory } from './page-history.js'

/**
 * Reads a Group through the host's search, so that the caller's rights on it hold.
 *
 * @throws ExportError 404 when there is none for this caller, 422 when its members cannot be told from a list
 */
export async function readGroup(search: SearchAdapter, id: string, signal?: AbortSignal): Promise<Resource> {
  const group = await findGroup(search, id, signal)
  if (group === undefined) {
    throw new ExportError(404, `There is no Group ${id} on this server.`, { code: 'not-found' })
  }
  const obstacle = groupObstacle(group)
  if (obstacle !== undefined) {
    throw new ExportError(422, `Group ${id} cannot be exported: ${obstacle}.`, { code: 'not-supported' })
  }
  return group
}

/**
 * The patients that are members of a Group at a time, by itself or through groups that are its members. A
 * group within a group counts once, however often and in whatever circles it appears; one that cannot be read
 * fails the export, since leaving it out would lose its patients silently.
 *
 * @throws ExportError as `readGroup` does, for the group and each group in it
 */
export async function groupPatients(
  search: SearchAdapter,
  id: string,
  { now, base, signal }: { now: Date; base: string; signal?: AbortSignal },
): Promise<ReadonlySet<string>> {
  const patients = new Set<string>()
  const groups = new Set([id])
  // A Set's iterator also visits what is added on the way.
  for (const group of groups) {
    const members = groupMembers(await readGroup(search, group, signal), now, base)
    for (const patient of members.patients) patients.add(patient)
    for (const nested of members.groups) groups.add(nested)
  }
  return patients
}

async function findGroup(
  search: SearchAdapter,
  id: string,
  signal: AbortSignal | undefined,
): Promise<Resource | undefined> {
  const params = new URLSearchParams({ _id: id })
  const request = { type: 'Group', params, pageSize: 10, ...(signal ? { signal } : {}) }
  const history = new PageHistory('Group')
  let page = await search.search(request)
  for (;;) {
    history.add(page)
    const group = page.resources.find((resource) => resource.resourceType === 'Group' && resource.id === id)
    if (group !== undefined || page.next === undefined) return group
    page = await search.search({ ...request, next: page.next })
  }
}
