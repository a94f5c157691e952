import { ExportError } from '../errors.js'
import type { SearchAdapter } from '../search/search-adapter.js'
import { groupPatients } from './group-cohort.js'

export interface KnownPatientsOptions {
  readonly search: SearchAdapter
  /** The group whose members count; absent: all patients of the server. */
  readonly groupId: string | undefined
  readonly base: string
  readonly now: Date
  readonly lenient: boolean
}

/** How many patients are looked up at the same time. */
const AT_ONCE = 8

/**
 * The patients of the `patient` parameter that there are, and that are members of the group (Bulk Data 3.0.0,
 * `patient`). Others are left out when handling is lenient; that none remain is no reason to export everyone.
 *
 * @throws ExportError 422 naming the first ten that are not known, unless handling is lenient
 */
export async function knownPatients(
  asked: readonly string[],
  options: KnownPatientsOptions,
): Promise<string[]> {
  const { groupId, lenient } = options
  const isKnown = groupId === undefined ? await existing(asked, options) : await members(groupId, options)
  const unknown = asked.filter((patient) => !isKnown.has(patient))
  if (unknown.length > 0 && !lenient) {
    const named = unknown.slice(0, 10).map((patient) => `Patient/${patient}`)
    const where = groupId === undefined ? 'on this server' : `in Group ${groupId}`
    throw new ExportError(422, `There is no ${named.join(', ')} ${where}.`, {
      code: 'not-found',
      expression: 'patient',
    })
  }
  return asked.filter((patient) => isKnown.has(patient))
}

function members(groupId: string, { search, base, now }: KnownPatientsOptions): Promise<ReadonlySet<string>> {
  return groupPatients(search, groupId, { now, base })
}

async function existing(
  asked: readonly string[],
  { search }: KnownPatientsOptions,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  const waiting = [...asked]
  const look = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const request = { type: 'Patient', params: new URLSearchParams({ _id: id }), pageSize: 10 }
      const { resources } = await search.search(request)
      if (resources.some((resource) => resource.resourceType === 'Patient' && resource.id === id))
        found.add(id)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  return found
}
