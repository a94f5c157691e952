import { findResource } from './find-resource.js'
import { type GroupReading, groupPatients } from './group-cohort.js'

export interface KnownPatientsOptions {
  /** The group whose members count; absent: all patients of the server. */
  readonly groupId: string | undefined
  readonly now: Date
  readonly reading: GroupReading
}

/** Which of the patients that were asked for there are. */
export interface KnownPatients {
  readonly known: readonly string[]
  /** What is wrong with the others; absent when there are no others. */
  readonly problem?: string
}

/** How many patients are looked up at the same time. */
const AT_ONCE = 8
const MOST_NAMED = 10

/**
 * Looks which patients of the `patient` parameter there are, and are members of the group (Bulk Data 3.0.0,
 * `patient`).
 */
export async function knownPatients(
  asked: readonly string[],
  { groupId, now, reading }: KnownPatientsOptions,
): Promise<KnownPatients> {
  const isKnown =
    groupId === undefined ? await existing(asked, reading) : await groupPatients(groupId, now, reading)
  const known = asked.filter((patient) => isKnown.has(patient))
  if (known.length === asked.length) return { known }
  const unknown = asked.filter((patient) => !isKnown.has(patient))
  const named = unknown.slice(0, MOST_NAMED).map((patient) => `Patient/${patient}`)
  const more = unknown.length > MOST_NAMED ? ` and ${unknown.length - MOST_NAMED} more` : ''
  const where = groupId === undefined ? 'on this server' : `in Group ${groupId}`
  return { known, problem: `There is no ${named.join(', ')}${more} ${where}.` }
}

async function existing(
  asked: readonly string[],
  { search, signal }: GroupReading,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  const waiting = [...asked]
  const look = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if ((await findResource(search, 'Patient', id, signal)) !== undefined) found.add(id)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  return found
}
