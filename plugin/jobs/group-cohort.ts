import { ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import { groupMembers, groupObstacle } from '../fhir/group.js'
import { RESOURCE_ID, type Resource } from '../fhir/resource.js'
import type { GroupMembers } from '../search/host-hooks.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import { findResource } from './find-resource.js'

/** On whose behalf the members of a Group are found out. */
export interface GroupReading {
  readonly search: SearchAdapter
  /** Finds the members of a Group that does not list them; absent: such a Group is refused. */
  readonly groupMembers: GroupMembers | undefined
  /** `req.user` of the kick-off. */
  readonly user: unknown
  /** The FHIR base URL of this server. */
  readonly base: string
  readonly signal: AbortSignal
}

/**
 * Reads a Group through the host's search, so that the caller's rights on it hold.
 *
 * @throws ExportError 404 when there is none for this caller, 422 when its members cannot be told
 */
export async function readGroup(id: string, reading: GroupReading): Promise<Resource> {
  const group = await findResource(reading.search, 'Group', id, reading.signal)
  if (group === undefined) {
    throw new ExportError(404, `There is no Group ${id} on this server.`, { code: 'not-found' })
  }
  if (reading.groupMembers === undefined && groupObstacle(group) !== undefined) throw unreadable(group)
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
  id: string,
  now: Date,
  reading: GroupReading,
): Promise<ReadonlySet<string>> {
  const patients = new Set<string>()
  const groups = new Set([id])
  // A Set's iterator also visits what is added on the way.
  for (const name of groups) {
    const group = await readGroup(name, reading)
    if (groupObstacle(group) === undefined) {
      const members = groupMembers(group, now, reading.base)
      for (const patient of members.patients) patients.add(patient)
      for (const nested of members.groups) groups.add(nested)
    } else {
      for await (const patient of described(group, reading)) patients.add(patient)
    }
  }
  return patients
}

async function* described(
  group: Resource,
  { groupMembers: find, user, base, signal }: GroupReading,
): AsyncGenerator<string> {
  const members = await find?.(group, { version: versionOf(base), user, signal })
  if (members === undefined) throw unreadable(group)
  if (!isListing(members)) throw notIds(group)
  for await (const patient of members) {
    signal.throwIfAborted()
    if (typeof patient !== 'string' || !RESOURCE_ID.test(patient)) throw notIds(group)
    yield patient
  }
}

/** A string would give its characters. */
function isListing(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
}

function notIds(group: Resource): ExportError {
  return new ExportError(500, `The hook groupMembers gave something else than ids for Group ${group.id}.`)
}

function unreadable(group: Resource): ExportError {
  const text = `Group ${group.id} cannot be exported: ${groupObstacle(group)}.`
  return new ExportError(422, text, { code: 'not-supported' })
}
