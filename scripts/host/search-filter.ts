import { hostTypes, type SearchParameter, schemaOf, searchParameters, VERSION } from './core.js'
import { matchDate } from './date-match.js'
import { allOf, anyOf, elementExists, elementWith, type Filter, noneOf } from './element-filter.js'
import { matchNumber, matchQuantity } from './number-match.js'
import { matchReference } from './reference-match.js'
import { invalid, notSupported } from './refusal.js'
import { type SearchArgument, searchArguments, unescaped } from './search-argument.js'
import { type Target, targetsOf } from './search-target.js'
import { matchString, type StringModifier } from './string-match.js'
import { matchToken } from './token-match.js'

export interface SearchFilterOptions {
  /** The FHIR base URL of this host, if known, without a slash at its end. */
  readonly base?: string
  /** What `ap` of a date is measured from; the present if absent. */
  readonly now?: Date
  /** The FHIR version of the resources; default: the one that the example host speaks. */
  readonly version?: string
}

/** Modifiers by type of parameter, besides `missing`; a reference also takes the name of a resource type. */
const MODIFIERS: Readonly<Record<string, readonly string[]>> = {
  string: ['exact', 'contains'],
  token: ['not'],
}

const known = new Map<string, ReadonlyMap<string, SearchParameter>>()
const targets = new WeakMap<SearchParameter, readonly Target[]>()

/**
 * The MongoDB query for a search: all of the parameters must match, each by any of its values.
 *
 * @param args the arguments of a service: declared search parameters by `name[:modifier]`
 * @throws 400 as the core answers it, for a parameter, a modifier or a value that this host cannot search by
 */
export function searchFilter(
  type: string,
  args: Readonly<Record<string, unknown>>,
  options: SearchFilterOptions = {},
): Filter {
  return allOf(searchArguments(args).map((argument) => argumentFilter(type, argument, options)))
}

/** Whether this host can search by the parameter. */
export function isSearchable(type: string, parameter: SearchParameter, version?: string): boolean {
  return targetsFor(type, parameter, version).length > 0
}

/** The elements that a parameter of a type looks at; none if there is no such parameter. */
export function targetsOfParameter(type: string, name: string, version?: string): readonly Target[] {
  const parameter = parametersOf(type, version).get(name)
  return parameter === undefined ? [] : targetsFor(type, parameter, version)
}

function argumentFilter(type: string, argument: SearchArgument, options: SearchFilterOptions): Filter {
  const { version } = options
  const parameter = parametersOf(type, version).get(argument.name)
  if (parameter === undefined) throw notSupported(`${type} has no search parameter ${argument.name}.`)
  const found = targetsFor(type, parameter, version)
  if (found.length === 0) throw notSupported(`Searching ${type} by ${argument.name} is not supported.`)
  const { modifier } = argument
  if (modifier === 'missing') return missingFilter(argument, found)
  if (modifier !== undefined && !allowsModifier(parameter, modifier, version)) {
    throw notSupported(`The modifier :${modifier} of ${argument.name} is not supported.`)
  }
  const filters = found.flatMap((target) => targetFilters(parameter, target, argument, options))
  return modifier === 'not' ? noneOf(filters) : anyOf(filters)
}

/** What any of the values matches in one element. */
function targetFilters(
  { type, name }: SearchParameter,
  target: Target,
  { values, modifier }: SearchArgument,
  { base, now = new Date(), version }: SearchFilterOptions,
): Filter[] {
  switch (type) {
    case 'token':
      return values.map((value) => matchToken(target, value))
    case 'string':
      return values.flatMap((value) => matchString(target, value, modifier as StringModifier))
    case 'reference': {
      const search = {
        parameter: name,
        ...(modifier && { type: modifier }),
        ...(base && { base }),
        ...(version && { version }),
      }
      return [matchReference(target, values, search)]
    }
    case 'date':
      return values.map((value) => matchDate(target, value, now))
    case 'number':
      return values.map((value) => matchNumber(target, value))
    case 'quantity':
      return values.flatMap((value) => matchQuantity(target, value))
    default:
      return values.map((value) => elementWith(target.steps, { '': unescaped(value) }))
  }
}

function missingFilter({ name, values }: SearchArgument, found: readonly Target[]): Filter {
  const [value] = values
  if (values.length > 1 || (value !== 'true' && value !== 'false')) {
    throw invalid(`${name}:missing is either true or false, not "${values.join()}".`)
  }
  const exists = found.flatMap(({ steps, otherForms = [] }) => [steps, ...otherForms].map(elementExists))
  return value === 'true' ? noneOf(exists) : anyOf(exists)
}

function allowsModifier({ type }: SearchParameter, modifier: string, version?: string): boolean {
  return (
    MODIFIERS[type]?.includes(modifier) ?? (type === 'reference' && hostTypes(version).includes(modifier))
  )
}

function targetsFor(type: string, parameter: SearchParameter, version?: string): readonly Target[] {
  const found = targets.get(parameter) ?? targetsOf(schemaOf(type, version), parameter)
  targets.set(parameter, found)
  return found
}

function parametersOf(type: string, version: string = VERSION): ReadonlyMap<string, SearchParameter> {
  const key = `${version}/${type}`
  const parameters =
    known.get(key) ?? new Map(searchParameters(type, version).map((each) => [each.name, each]))
  known.set(key, parameters)
  return parameters
}
