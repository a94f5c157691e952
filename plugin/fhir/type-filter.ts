import { type Findings, quote } from './findings.js'
import type { ResourceType } from './resource.js'

/** One query of `_typeFilter`: resources of this type are exported if they match it, or another one of the type. */
export interface TypeFilter {
  readonly type: ResourceType
  /** The parameters as a query string in the form of `URLSearchParams`, such as `status=final&code=a%2Cb`. */
  readonly query: string
}

/** Asks the host what is wrong with a search; `undefined` when its services would get it as it is. */
export type CheckSearch = (type: ResourceType, params: URLSearchParams) => string | undefined

/** Parameters about the form of a search result, which `_typeFilter` must not have (Bulk Data 2.0.0). */
const RESULT_PARAMETERS = new Set([
  ...['_sort', '_count', '_include', '_revinclude', '_summary', '_total', '_elements', '_contained'],
  ...['_containedType', '_format', '_pretty', '_score', '_maxresults', '_query', '_list', '_has', '_filter'],
])

/** Whether a search parameter, with or without a modifier, is one that `_typeFilter` must not have. */
export function isResultParameter(name: string): boolean {
  return RESULT_PARAMETERS.has(name.split(':')[0] as string)
}

/**
 * Reads the values of `_typeFilter` (Bulk Data 3.0.0, "_typeFilter Query Parameter"): one query each, or several
 * separated by commas as guide version 1 has it. A comma separates only before `Type?`, since others are FHIR's OR.
 */
export function parseTypeFilters(
  values: readonly string[],
  { types, check, findings }: { types: readonly ResourceType[]; check: CheckSearch; findings: Findings },
): TypeFilter[] {
  const queries = values
    .flatMap((value) => value.split(/,(?=\s*[A-Z][A-Za-z]*\?)/))
    .map((text) => text.trim())
  return [...new Set(queries)].flatMap((text) => {
    const problem = (what: string) => {
      findings.unsupported(`_typeFilter ${quote(text)} ${what}.`, '_typeFilter')
      return []
    }
    const [, type, query] = /^([A-Z][A-Za-z]*)\?(.+)$/s.exec(text) ?? []
    if (type === undefined || query === undefined) {
      return problem('is not a search such as Observation?status=final')
    }
    if (!types.includes(type)) return problem(`is about ${type}, which is not among the types to export`)
    const params = readQuery(query)
    const names = [...params.keys()]
    const result = names.find(isResultParameter)
    if (result !== undefined) return problem(`has ${result}, which is not for filters`)
    const wrong = check(type, params)
    return wrong === undefined
      ? [{ type, query: params.toString() }]
      : problem(`cannot be searched: ${wrong}`)
  })
}

/** Unlike a form, a `+` in a query of FHIR stands for itself, as in the offset of a time. */
function readQuery(query: string): URLSearchParams {
  const pairs = query.split('&').filter((pair) => pair !== '')
  return new URLSearchParams(
    pairs.map((pair): [string, string] => {
      const [name = '', ...value] = pair.split('=')
      return [decode(name), decode(value.join('='))]
    }),
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
