import { localReference } from './reference.js'
import type { Resource } from './resource.js'

/** What the members of a Group point to. */
export interface GroupMembers {
  readonly patients: readonly string[]
  /** Ids of Groups that are members themselves. */
  readonly groups: readonly string[]
}

/**
 * The members of a Group that count at a time: not `inactive`, and within their `period` (Group.member, which has the same
 * elements in R4, STU3 and DSTU2).
 * Members that are neither patients nor groups of this server are left out.
 *
 * @param base the FHIR base URL of this server
 */
export function groupMembers(group: Resource, now: Date, base: string): GroupMembers {
  const members = Array.isArray(group['member']) ? (group['member'] as readonly Member[]) : []
  const references = members
    .filter((member) => member?.inactive !== true && isCurrent(member?.period, now))
    .map((member) => localReference(member?.entity?.reference, base))
  const idsOf = (type: string) => references.flatMap((found) => (found?.type === type ? [found.id] : []))
  return { patients: idsOf('Patient'), groups: idsOf('Group') }
}

/**
 * Why a Group cannot be exported as a list of members, or `undefined` when it can: one that describes its
 * members instead of listing them, or one with a modifier extension, which may change what the list means
 * (extensibility, "Modifier Extensions"; Bulk Data 3.0.0, Groups).
 */
export function groupObstacle(group: Resource): string | undefined {
  const members = Array.isArray(group['member']) ? group['member'] : []
  if ([group, ...members].some(hasModifierExtension)) {
    return 'it has a modifier extension that this server does not know'
  }
  return group['actual'] === false
    ? 'it describes its members instead of listing them (actual is false)'
    : undefined
}

function hasModifierExtension(element: unknown): boolean {
  const { modifierExtension } = (element ?? {}) as { modifierExtension?: unknown }
  return Array.isArray(modifierExtension) && modifierExtension.length > 0
}

interface Member {
  readonly entity?: { readonly reference?: unknown }
  readonly inactive?: unknown
  readonly period?: { readonly start?: unknown; readonly end?: unknown }
}

function isCurrent(period: Member['period'], now: Date): boolean {
  const start = boundsOf(period?.start)
  const end = boundsOf(period?.end)
  if (start !== undefined && now < start.first) return false
  return end === undefined || now <= end.last
}

/** The first and the last moment of a FHIR dateTime, which may be only a year, a month or a day (in UTC). */
function boundsOf(value: unknown): { readonly first: Date; readonly last: Date } | undefined {
  if (typeof value !== 'string') return undefined
  const first = new Date(value)
  if (Number.isNaN(first.getTime())) return undefined
  const next = new Date(first)
  if (/^\d{4}$/.test(value)) next.setUTCFullYear(next.getUTCFullYear() + 1)
  else if (/^\d{4}-\d\d$/.test(value)) next.setUTCMonth(next.getUTCMonth() + 1)
  else if (/^\d{4}-\d\d-\d\d$/.test(value)) next.setUTCDate(next.getUTCDate() + 1)
  else return { first, last: first }
  return { first, last: new Date(next.getTime() - 1) }
}
