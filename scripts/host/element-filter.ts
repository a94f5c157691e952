import type { Step } from './search-target.js'

/** A MongoDB query. */
export type Filter = Readonly<Record<string, unknown>>

/** The query that no document matches. */
export const NOTHING: Filter = { _id: { $in: [] } }

/** Matches when one of these does. */
export function anyOf(filters: readonly Filter[]): Filter {
  if (filters.length === 0) return NOTHING
  return filters.length === 1 ? (filters[0] as Filter) : { $or: filters }
}

/** Matches when all of these do. */
export function allOf(filters: readonly Filter[]): Filter {
  if (filters.length === 0) return {}
  return filters.length === 1 ? (filters[0] as Filter) : { $and: filters }
}

/** Matches when none of these does, also when there is no such element. */
export function noneOf(filters: readonly Filter[]): Filter {
  return { $nor: filters }
}

/** The dotted path of an element, or of a field of it. */
export function pathOf(steps: readonly Step[], field = ''): string {
  const names = steps.map(({ name }) => name)
  return (field === '' ? names : [...names, field]).join('.')
}

/**
 * Matches when a single element at the end of these steps meets all the conditions.
 *
 * @param fields conditions by the field of the element, `''` being the element itself
 */
export function elementWith(steps: readonly Step[], fields: Readonly<Record<string, unknown>>): Filter {
  const last = listThatDecides(steps, fields)
  if (last === -1) {
    return Object.fromEntries(Object.entries(fields).map(([field, test]) => [pathOf(steps, field), test]))
  }
  const { where } = steps[last] as Step
  const { '': self, ...inner } = elementWith(steps.slice(last + 1), fields)
  const entry = { ...(where && { [where.name]: where.value }), ...(self as object | undefined), ...inner }
  return { [pathOf(steps.slice(0, last + 1))]: { $elemMatch: entry } }
}

/** Matches when there is an element at the end of these steps. */
export function elementExists(steps: readonly Step[]): Filter {
  return steps.at(-1)?.where ? elementWith(steps, {}) : elementWith(steps, { '': { $exists: true } })
}

/**
 * The list whose entries must be looked at one by one (-1: none): one with a `where`, or else the innermost
 * if there are several conditions. MongoDB would be content with several entries that meet one each.
 */
function listThatDecides(steps: readonly Step[], fields: Readonly<Record<string, unknown>>): number {
  const filtered = steps.findIndex(({ where }) => where !== undefined)
  if (filtered !== -1) return filtered
  const conditions = Object.values(fields)
  const isSingle = conditions.length === 1 && operatorsOf(conditions[0]) <= 1
  return isSingle ? -1 : steps.findLastIndex(({ isArray }) => isArray)
}

function operatorsOf(condition: unknown): number {
  const isPlain = typeof condition === 'object' && condition !== null && condition.constructor === Object
  return isPlain ? Object.keys(condition).length : 0
}
