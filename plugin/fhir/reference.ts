import { RESOURCE_ID, type ResourceType } from './resource.js'

/** A resource on this server that a reference points to. */
export interface LocalReference {
  readonly type: ResourceType
  readonly id: string
}

/**
 * Reads a literal reference to a resource on this server: `Type/id`, the same under the server's own base URL,
 * either with a version. Another server's resource, a contained one, or anything else gives `undefined`.
 *
 * @param base the FHIR base URL of this server without a slash at its end
 */
export function localReference(reference: unknown, base: string): LocalReference | undefined {
  if (typeof reference !== 'string') return undefined
  const relative = reference.startsWith(`${base}/`) ? reference.slice(base.length + 1) : reference
  const [type = '', id = '', history, ...version] = relative.split('/')
  if (!/^[A-Z][A-Za-z]+$/.test(type) || !RESOURCE_ID.test(id)) return undefined
  const isVersioned = history === '_history' && version.length === 1
  return history === undefined || isVersioned ? { type, id } : undefined
}
