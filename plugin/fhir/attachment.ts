import { ATTACHMENT_PATHS } from './attachment-paths.js'
import { versionOf } from './base-url.js'
import { releaseOf } from './fhir-version.js'
import type { Resource, ResourceType } from './resource.js'

const STEPS: ReadonlyMap<string, readonly (readonly string[])[]> = new Map(
  Object.entries(ATTACHMENT_PATHS).flatMap(([release, paths]) =>
    Object.entries(paths).map(([type, ways]) => [`${release} ${type}`, ways.map((way) => way.split('.'))]),
  ),
)

/**
 * Whether resources of this type may have attachments.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported
 */
export function hasAttachments(type: ResourceType, version: string): boolean {
  return stepsOf(type, version).length > 0
}

/**
 * A resource whose attachments have absolute URLs: who reads it in a file does not know what a relative one would be
 * relative to (Bulk Data 3.0.0, "Attachments"). The resource itself stays as it is; without relative URLs it is
 * given back.
 *
 * @param base the FHIR base URL of this server, which ends with the version of the resource
 * @throws Error for a version that is not exported
 */
export function withAbsoluteAttachments(resource: Resource, base: string): Resource {
  const paths = stepsOf(resource.resourceType, versionOf(base))
  return paths.reduce((changed, path) => changedAt(changed, path, base) as Resource, resource)
}

function stepsOf(type: ResourceType, version: string): readonly (readonly string[])[] {
  return STEPS.get(`${releaseOf(version)} ${type}`) ?? []
}

/** The same value when nothing in it had to be changed. */
function changedAt(value: unknown, path: readonly string[], base: string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => changedAt(item, path, base))
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  if (typeof value !== 'object' || value === null) return value
  const [step, ...rest] = path
  if (step === undefined) return withAbsoluteUrl(value, base)
  const changes = Object.entries(value).flatMap(([name, part]) => {
    if (step !== '**' && name !== step) return []
    const further = step !== '**' ? rest : name === rest[0] ? rest.slice(1) : path
    const changed = changedAt(part, further, base)
    return changed === part ? [] : [[name, changed] as const]
  })
  return changes.length === 0 ? value : { ...value, ...Object.fromEntries(changes) }
}

function withAbsoluteUrl(attachment: object, base: string): object {
  const { url } = attachment as { url?: unknown }
  if (typeof url !== 'string' || url === '' || /^([a-z][a-z0-9+.-]*:|#)/i.test(url)) return attachment
  return URL.canParse(url, `${base}/`) ? { ...attachment, url: new URL(url, `${base}/`).href } : attachment
}
