import { capabilityOf, type SearchParameter, VERSION } from './core.js'
import { isSearchable } from './search-filter.js'

interface ResourceCapability {
  readonly type: string
  readonly profile: string
  readonly searchParam: readonly SearchParameter[]
}

/** The types of parameters that the core's sanitizer lets through as they are. */
const PASSED = ['string', 'token', 'reference', 'uri', 'date']

/**
 * The hook that a profile's `metadata` names. The core calls it for two things.
 *
 * To set up routes (`base_version` and `key`): what the sanitizer of the type's searches lets through. It
 * refuses quantities, and numbers with a prefix, so those are declared as strings here; the service knows
 * their real type and answers for what it cannot do.
 *
 * To describe the host (a `String` of the version, with `key`): what the type's entry in the
 * CapabilityStatement says, with the real types of those that one can search by.
 */
export function makeResource(args: {
  readonly key: string
  readonly base_version?: string
}): ResourceCapability {
  const version = args.base_version ?? (args instanceof String ? String(args) : VERSION)
  const { type, searchParam } = capabilityOf(args.key, version)
  const profile = `http://hl7.org/fhir/StructureDefinition/${type}`
  if (args.base_version === undefined) {
    return {
      type,
      profile,
      searchParam: searchParam.filter((parameter) => isSearchable(type, parameter, version)),
    }
  }
  const sanitized = searchParam.map((parameter) =>
    PASSED.includes(parameter.type) ? parameter : { ...parameter, type: 'string' },
  )
  return { type, profile, searchParam: sanitized }
}
