import { ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import type { ResourceType } from '../fhir/resource.js'
import { untilAborted } from '../until-aborted.js'
import { type HostConfig, type ProfileService, sanitizerFor, serviceOf, typeOf } from './core.js'
import { hostRequest } from './host-request.js'
import type { Caller } from './search-adapter.js'

/** The `exportQuery` of the services of a host. */
export interface HostQueries {
  /** What the service of a type has besides `search`, in this FHIR version. */
  offer(type: ResourceType, version: string): { readonly hasQuery: boolean; readonly hasStream: boolean }
  /**
   * Calls it as the core would call `search`.
   *
   * @returns what it gave, whatever that is
   * @throws what it throws, and ExportError 503 when it does not answer in time
   */
  ask(question: HostQuestion): Promise<unknown>
}

export interface HostQuestion {
  readonly type: ResourceType
  /** The FHIR base URL, whose last segment is the version. */
  readonly base: string
  /** On whose behalf it is called. */
  readonly caller: Caller
  /** Search parameters as a query string; empty: all resources that the caller may read. */
  readonly query: string
  readonly signal?: AbortSignal | undefined
}

export function hostQueries(
  { profiles }: Pick<HostConfig, 'profiles'>,
  { searchTimeout: timeout }: { readonly searchTimeout: number },
): HostQueries {
  const sanitizers = new Map<string, ReturnType<typeof sanitizerFor>>()
  const sanitizerOf = (type: ResourceType, version: string) => {
    const key = `${version}/${type}`
    const sanitize = sanitizers.get(key) ?? sanitizerFor(type, version, byType.get(type)?.metadata)
    sanitizers.set(key, sanitize)
    return sanitize
  }
  const byType = new Map(Object.entries(profiles).map(([key, profile]) => [typeOf(key, profile), profile]))
  return {
    offer(type, version) {
      const profile = byType.get(type)
      const isServed = profile?.versions.includes(version) ?? false
      const service: object = profile !== undefined && isServed ? serviceOf(profile) : {}
      return { hasQuery: hasMethod(service, 'exportQuery'), hasStream: hasMethod(service, 'searchStream') }
    },
    async ask({ type, base, caller, query, signal }) {
      const profile = byType.get(type)
      const service: ProfileService = profile === undefined ? {} : serviceOf(profile)
      const req = hostRequest(base, type, new URLSearchParams(query), caller)
      const args = sanitizerOf(type, versionOf(base))(req)
      // `service.exportQuery(…)`: a service may be a class instance that needs its `this`.
      return untilAborted(async () => service.exportQuery?.(args, { req }), {
        ...{ signal, timeout, late: () => tooSlow(type, timeout) },
      })
    },
  }
}

function hasMethod(service: object, name: string): boolean {
  return typeof (service as Readonly<Record<string, unknown>>)[name] === 'function'
}

/** What may pass, so it is tried again. */
function tooSlow(type: ResourceType, timeout: number): ExportError {
  const text = `exportQuery of the service of ${type} did not answer within ${timeout / 1000} seconds.`
  return new ExportError(503, text, { code: 'timeout', retryAfter: 10 })
}
