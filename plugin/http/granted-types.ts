import { ExportError } from '../errors.js'
import type { Findings } from '../fhir/findings.js'
import type { ResourceType } from '../fhir/resource.js'
import { isGranted } from '../fhir/smart-scopes.js'
import type { Access } from './access.js'

/**
 * Leaves out the types that the caller may not export; refuses those that were asked for by name (SMART App Launch
 * 2.2, "Scopes for requesting FHIR Resources"), unless handling is lenient.
 *
 * @param named the types that were asked for by name
 * @throws ExportError 403
 */
export function grantedTypes(
  types: readonly ResourceType[],
  named: readonly ResourceType[],
  access: Access,
  findings: Findings,
): readonly ResourceType[] {
  const missing = types.filter((type) => !isGranted(type, access.types))
  if (missing.length === 0) return types
  const refused = missing.filter((type) => named.includes(type))
  const text = `Your access token does not cover ${listed(missing)}.`
  const isNone = missing.length === types.length
  if (isNone || (refused.length > 0 && !findings.lenient)) {
    throw new ExportError(403, isNone && refused.length === 0 ? NOTHING : text, { code: 'forbidden' })
  }
  if (refused.length > 0) findings.unsupported(text, '_type')
  else findings.note(text, '_type')
  return types.filter((type) => !missing.includes(type))
}

const NOTHING = 'Your access token does not cover anything that could be exported here.'
const MOST_NAMED = 10

function listed(types: readonly ResourceType[]): string {
  const more = types.length > MOST_NAMED ? ` and ${types.length - MOST_NAMED} more types` : ''
  return `${types.slice(0, MOST_NAMED).join(', ')}${more}`
}
