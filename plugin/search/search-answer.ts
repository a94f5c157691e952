import { isResource, type Resource } from '../fhir/resource.js'

/** A service's answer, whatever form it came in. */
export interface SearchAnswer {
  readonly resources: readonly Resource[]
  /** How many entries came, those that are not among `resources` included. */
  readonly entries: number
  /** URL of the next page, if the answer names one. */
  readonly nextUrl?: string
  /** How many resources match in all, if the answer says so. */
  readonly total?: number
  /** Whether the answer carries links at all, which shows that its service knows about pages. */
  readonly hasLinks: boolean
}

/**
 * Reads what a service returned: a Bundle, an array of resources, or nothing; as plain objects or as instances
 * of the host's schema classes or of a mapper's documents (anything with `toJSON`). Entries that are not
 * matches of the search (`search.mode` other than `match`) and values that are not resources are left out.
 *
 * @returns `undefined` for an answer in none of these forms
 */
export function readAnswer(answer: unknown): SearchAnswer | undefined {
  if (answer === undefined || answer === null) return { resources: [], entries: 0, hasLinks: false }
  if (Array.isArray(answer)) {
    return {
      resources: answer.flatMap((value) => asResource(value) ?? []),
      entries: answer.length,
      hasLinks: false,
    }
  }
  if (!isResource(answer) || answer.resourceType !== 'Bundle') return undefined
  const links = listOf(answer['link'])
  const next = links.find((link) => link['relation'] === 'next')?.['url']
  const { total } = answer as { total?: unknown }
  const entries = listOf(answer['entry'])
  return {
    entries: entries.length,
    resources: entries.filter(isMatch).flatMap((entry) => asResource(entry['resource']) ?? []),
    ...(typeof next === 'string' ? { nextUrl: next } : {}),
    ...(typeof total === 'number' ? { total } : {}),
    hasLinks: links.length > 0,
  }
}

function isMatch(entry: Readonly<Record<string, unknown>>): boolean {
  const search = entry['search'] as { mode?: unknown } | undefined
  return search?.mode === undefined || search.mode === 'match'
}

/**
 * A resource as a plain object, whatever it came as; `undefined` for what is none. One whose `toJSON` fails comes as it
 * is: whoever writes it finds that out, and can say which it was.
 */
export function asResource(value: unknown): Resource | undefined {
  const json = hasToJson(value) ? jsonOf(value) : value
  if (isResource(json)) return json
  return isResource(value) ? value : undefined
}

function jsonOf(value: { toJSON(): unknown }): unknown {
  try {
    return value.toJSON()
  } catch {
    return undefined
  }
}

function hasToJson(value: unknown): value is { toJSON(): unknown } {
  return (
    typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
  )
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : []
}
