import { describeError } from '../errors.js'
import type { ResourceType } from '../fhir/resource.js'
import { ALL, readingOf } from '../jobs/reading-way.js'
import { type HostProfile, type ProfileService, serviceOf, typeOf } from '../search/core.js'
import { type HostQueries, hostQueries } from '../search/host-query.js'
import { type ReadingOffer, readingOffer, type ScanOrigin } from '../search/scans.js'
import type { ExaminedHost } from './examined-host.js'
import type { TypeReading } from './finding.js'

/** A type of the host in one FHIR version. */
export interface ServedType extends TypeReading {
  readonly profile: HostProfile
  readonly service: ProfileService
  readonly offer: ReadingOffer
  /** From where it is known which collection has it; absent: it is not known. */
  readonly origin?: ScanOrigin
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
  const queries = hostQueries(host.options.config, host.options)
  for (const [key, profile] of Object.entries(host.options.config.profiles)) {
    const type = typeOf(key, profile)
    if (types !== undefined && !types.includes(type)) continue
    const versions = profile.versions.filter((version) => host.versions.includes(version))
    if (versions.length < profile.versions.length) unserved.push({ type, reason: 'other-version' })
    if (versions.length === 0) continue
    const service = loaded(profile, host)
    if (service === undefined) unserved.push({ type, reason: 'not-loaded' })
    else if (typeof service.search !== 'function') unserved.push({ type, reason: 'no-search' })
    else
      served.push(
        ...versions.map((version) => servedType(type, version, { profile, service, host, queries })),
      )
  }
  const byName = (a: { type: string }, b: { type: string }) => (a.type < b.type ? -1 : 1)
  return { served: served.sort(byName), unserved: unserved.sort(byName) }
}

function servedType(
  type: ResourceType,
  version: string,
  { profile, service, host, queries }: Given,
): ServedType {
  const offer = readingOffer(type, version, { names: host.options.collections, queries })
  return { type, version, profile, service, offer, ...readingOf(ALL, offer) }
}

interface Given {
  readonly profile: HostProfile
  readonly service: ProfileService
  readonly host: ExaminedHost
  readonly queries: HostQueries
}

function loaded(profile: HostProfile, { logger }: ExaminedHost): ProfileService | undefined {
  try {
    return serviceOf(profile)
  } catch (error) {
    logger.warn('doctor.service-not-loaded', { error: describeError(error) })
    return undefined
  }
}
