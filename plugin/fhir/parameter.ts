import { ExportError, type Issue } from '../errors.js'

/** One kick-off parameter as it was sent, by query string or by `Parameters` resource. */
export interface Parameter {
  readonly name: string
  readonly value: string
}

/** More than this nobody reads. */
const MOST_PROBLEMS = 20

/** The parameters of a query string, in order, repeated ones apart. */
export function queryParameters(query: URLSearchParams): Parameter[] {
  return [...query].map(([name, value]) => ({ name, value }))
}

/**
 * The parameters of a POST body: a `Parameters` resource (Bulk Data 3.0.0, kick-off request). The type of
 * `value[x]` is taken loosely, as clients differ: any primitive, a Reference (its `reference`) or a Coding (its
 * `code`).
 *
 * @throws ExportError 400 naming every entry that cannot be read
 */
export function bodyParameters(body: unknown): Parameter[] {
  if (!isObject(body) || body['resourceType'] !== 'Parameters') {
    throw new ExportError(
      400,
      `The body must be a Parameters resource, not ${describe(body)}. Send {"resourceType":"Parameters","parameter":[…]}.`,
      { code: 'structure' },
    )
  }
  const entries = body['parameter'] ?? []
  if (!Array.isArray(entries)) {
    throw new ExportError(400, 'Parameters.parameter must be an array.', { code: 'structure' })
  }
  const problems: Issue[] = []
  const parameters = entries.flatMap((entry: unknown, index) => {
    const parameter = entryParameter(entry)
    if (typeof parameter !== 'string') return [parameter]
    problems.push({
      severity: 'error',
      code: 'structure',
      diagnostics: `Parameters.parameter[${index}] ${parameter}.`,
      expression: `Parameters.parameter[${index}]`,
    })
    return []
  })
  if (problems.length > 0) throw new ExportError(400, problems.slice(0, MOST_PROBLEMS))
  return parameters
}

/** The parameter of an entry, or what is wrong with it. */
function entryParameter(entry: unknown): Parameter | string {
  if (!isObject(entry)) return 'must be an object'
  const { name } = entry
  if (typeof name !== 'string' || name === '') return 'has no name'
  const shown = name.slice(0, 64)
  const keys = Object.keys(entry).filter((key) => /^value[A-Z]/.test(key))
  if (keys.length !== 1) return `("${shown}") must have exactly one value[x]`
  const value = textOf(entry[keys[0] as string])
  return value === undefined ? `("${shown}") has a value that cannot be read` : { name, value }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (!isObject(value)) return undefined
  const inner = value['reference'] ?? value['code']
  return typeof inner === 'string' ? inner : undefined
}

function describe(body: unknown): string {
  if (!isObject(body))
    return Array.isArray(body) ? 'an array' : `a JSON ${body === null ? 'null' : typeof body}`
  const type = body['resourceType']
  return typeof type === 'string' && /^[A-Za-z]{1,64}$/.test(type) ? type : 'an object without a resourceType'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
