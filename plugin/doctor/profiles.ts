import { describeError } from '../errors.js'
import type { ResourceType } from '../fhir/resource.js'
import { type HostProfile, type ProfileService, serviceOf, typeOf } from '../search/core.js'
import type { ExaminedHost } from './examined-host.js'
import type { TypeReading } from './finding.js'
import { readingWay } from './reading-way.js'

/** A type of the host in one FHIR version. */
export interface ServedType extends TypeReading {
  readonly profile: HostProfile
  readonly service: ProfileService
  /** What the option `collections` names for it. */
  readonly collection: string | undefined
}

/** A type that is not exported, and why. */
export interface UnservedType {
  readonly type: ResourceType
  readonly reason: 'not-loaded' | 'no-search' | 'other-version'
}

export interface Profiles {
  /** By type and version, in alphabetical order. */
  readonly served: readonly ServedType[]
  readonly unserved: readonly UnservedType[]
}

/** @param types only these; absent: all */
export function profilesOf(host: ExaminedHost, types: readonly ResourceType[] | undefined): Profiles {
  const served: ServedType[] = []
  const unserved: UnservedType[] = []
  for (const [key, profile] of Object.entries(host.options.config.profiles)) {
    const type = typeOf(key, profile)
    if (types !== undefined && !types.includes(type)) continue
    const versions = profile.versions.filter((version) => host.versions.includes(version))
    if (versions.length < profile.versions.length) unserved.push({ type, reason: 'other-version' })
    if (versions.length === 0) continue
    const service = loaded(profile, host)
    if (service === undefined) unserved.push({ type, reason: 'not-loaded' })
    else if (typeof service.search !== 'function') unserved.push({ type, reason: 'no-search' })
    else served.push(...versions.map((version) => servedType(type, version, { profile, service, host })))
  }
  const byName = (a: { type: string }, b: { type: string }) => (a.type < b.type ? -1 : 1)
  return { served: served.sort(byName), unserved: unserved.sort(byName) }
}

function servedType(
  type: ResourceType,
  version: string,
  given: { readonly profile: HostProfile; readonly service: ProfileService; readonly host: ExaminedHost },
): ServedType {
  const { profile, service, host } = given
  const collection = host.options.collections?.(type, version)
  return { type, version, profile, service, collection, ...readingWay({ service, collection }) }
}

function loaded(profile: HostProfile, { logger }: ExaminedHost): ProfileService | undefined {
  try {
    return serviceOf(profile)
  } catch (error) {
    logger.warn('doctor.service-not-loaded', { error: describeError(error) })
    return undefined
  }
}
