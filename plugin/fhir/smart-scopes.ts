import type { ResourceType } from './resource.js'

/** The resource types that somebody may export. */
export type GrantedTypes = 'all' | ReadonlySet<ResourceType>

const SCOPE = /^system\/(\*|[A-Z][A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)$/

/**
 * What SMART Backend Services scopes allow to export. Only `system/` scopes count; an export of a type needs to
 * read and to search it: `.read` or `.*` of SMART v1, both `r` and `s` of SMART v2.
 *
 * A scope with a constraint (`system/Observation.rs?category=laboratory`) grants nothing here: it cannot be
 * enforced on all that an export reads, and granting the whole type would be too much.
 */
export function grantedTypes(scopes: readonly string[]): GrantedTypes {
  const types = new Set<ResourceType>()
  for (const scope of scopes) {
    const [, type, permission = ''] = SCOPE.exec(scope) ?? []
    if (type === undefined || !allowsExport(permission)) continue
    if (type === '*') return 'all'
    types.add(type)
  }
  return types
}

/**
 * The scopes in a claim: a text with spaces between them, as OAuth has it, or an array. Commas separate too, as
 * the host core has it, but not in a scope with a constraint: there they belong to the values, and what follows
 * one is whatever the client liked to write.
 */
export function scopesIn(claim: unknown): readonly string[] {
  return [claim]
    .flat()
    .filter((item) => typeof item === 'string')
    .flatMap((text) => text.split(/\s+/))
    .flatMap((text) => (text.includes('?') ? [text] : text.split(',')))
    .filter((scope) => scope !== '')
}

/** Whether a type is among the granted ones. */
export function isGranted(type: ResourceType, granted: GrantedTypes): boolean {
  return granted === 'all' || granted.has(type)
}

function allowsExport(permission: string): boolean {
  if (permission === '*' || permission === 'read') return true
  return permission !== 'write' && permission.includes('r') && permission.includes('s')
}
