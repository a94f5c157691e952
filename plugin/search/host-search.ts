import { describeError, ExportError } from '../errors.js'
import { versionOf } from '../fhir/base-url.js'
import type { ResourceType } from '../fhir/resource.js'
import { untilAborted } from '../until-aborted.js'
import {
  elementsOf,
  type HostConfig,
  type HostProfile,
  type ProfileService,
  sanitizerFor,
  serviceOf,
  typeOf,
} from './core.js'
import { hostRequest } from './host-request.js'
import type { Caller, Page, SearchAdapter, SearchRequest } from './search-adapter.js'
import { readAnswer, type SearchAnswer } from './search-answer.js'
import { readServiceStream } from './service-stream.js'

/** The searches of a host: which types it has in a version, and an adapter for each caller. */
export interface HostSearch {
  /** The types whose service has `search`, in alphabetical order. */
  types(version: string): readonly ResourceType[]
  /** The names of the root elements of a type, choices under each of their names. */
  elementsOf(type: ResourceType, version: string): readonly string[]
  /**
   * What is wrong with a search, as the core's own parameter definitions have it; `undefined` when the service
   * would get all of its parameters.
   */
  problemOf(base: string, type: ResourceType, params: URLSearchParams): string | undefined
  /**
   * @param base the FHIR base URL whose last segment is the version
   * @param caller on whose behalf the services are called
   */
  adapter(base: string, caller: Caller): SearchAdapter
}

/** A service that cuts its answers off without a link is asked for up to this many resources at once. */
const LARGEST_PAGE = 1_000_000

/** How long one search may take, in ms. */
export const SEARCH_TIMEOUT = 5 * 60_000

/** Reads through the profile services of the host, each called as the host core's own controller calls it. */
export function hostSearch(
  config: Pick<HostConfig, 'profiles'>,
  { searchTimeout: timeout }: { readonly searchTimeout: number } = { searchTimeout: SEARCH_TIMEOUT },
): HostSearch {
  const services = new Map<HostProfile, ProfileService>()
  const serviceFor = (profile: HostProfile) => {
    const service = services.get(profile) ?? serviceOf(profile)
    services.set(profile, service)
    return service
  }
  const profiles = new Map(
    Object.entries(config.profiles).map(([key, profile]) => [typeOf(key, profile), profile]),
  )
  return {
    types: (version) =>
      [...profiles]
        .filter(([, profile]) => profile.versions.includes(version))
        .filter(([, profile]) => typeof serviceFor(profile).search === 'function')
        .map(([type]) => type)
        .sort(),
    elementsOf,
    problemOf(base, type, params) {
      const profile = profiles.get(type)
      if (profile === undefined) return `there are no ${type} resources here`
      try {
        const sanitize = sanitizerFor(type, versionOf(base), profile.metadata)
        const args = sanitize(hostRequest(base, type, params, { headers: {} }))
        const unknown = [...params.keys()].find((name) => !Object.hasOwn(args, name))
        return unknown === undefined
          ? undefined
          : `${unknown} is no search parameter of ${type}, or has no value`
      } catch (error) {
        return `the server refuses it (${describeError(error)})`
      }
    },
    adapter(base, caller) {
      const readers = new Map<ResourceType, ServiceReader>()
      const readerOf = (type: ResourceType) => {
        const profile = profiles.get(type)
        if (profile === undefined) throw new Error(`The host has no profile for ${type}.`)
        const reader =
          readers.get(type) ?? serviceReader(type, profile, serviceFor(profile), { base, caller, timeout })
        readers.set(type, reader)
        return reader
      }
      return {
        search: async (request) => readerOf(request.type).search(request),
        stream: (request) => readerOf(request.type).stream?.(request),
        listSize: (type) => readerOf(type).listSize,
      }
    },
  }
}

interface ServiceReader extends Pick<SearchAdapter, 'search' | 'stream'> {
  readonly listSize: number
}

interface ReaderOptions {
  readonly base: string
  readonly caller: Caller
  readonly timeout: number
}

function serviceReader(
  type: ResourceType,
  profile: HostProfile,
  service: ProfileService,
  { base, caller, timeout }: ReaderOptions,
): ServiceReader {
  let sanitize: ReturnType<typeof sanitizerFor> | undefined
  const argumentsFor = (query: URLSearchParams) => {
    sanitize ??= sanitizerFor(type, versionOf(base), profile.metadata)
    const req = hostRequest(base, type, query, caller)
    return [sanitize(req), { req }] as const
  }
  const limits = { timeout, late: () => tooSlow(type, timeout) }
  // `service.search(…)`: a service may be a class instance that needs its `this`.
  const ask = async (query: URLSearchParams, signal: AbortSignal | undefined): Promise<SearchAnswer> => {
    signal?.throwIfAborted()
    const call = argumentsFor(query)
    const result = await untilAborted(async () => service.search?.(...call), { signal, ...limits })
    const answer = readAnswer(result)
    if (answer !== undefined) return answer
    throw new ExportError(500, `The search service of ${type} answered with neither a Bundle nor an array.`)
  }
  return {
    search: (request) => readPage(request, ask),
    ...(typeof service.searchStream === 'function' && {
      stream: ({ params, signal }) =>
        readServiceStream(() => service.searchStream?.(...argumentsFor(params)), { type, signal, ...limits }),
    }),
    listSize: listSizeOf(service, type),
  }
}

function listSizeOf({ commaListSize = 1 }: ProfileService, type: ResourceType): number {
  if (Number.isInteger(commaListSize) && commaListSize > 0) return commaListSize
  throw new ExportError(500, `The commaListSize of the service of ${type} must be a whole number from 1 on.`)
}

async function readPage(
  { type, params, pageSize, next, signal }: SearchRequest,
  search: (query: URLSearchParams, signal: AbortSignal | undefined) => Promise<SearchAnswer>,
): Promise<Page> {
  const ask = (count: number) => search(pageQuery(params, count, next), signal)
  let answer = await ask(pageSize)
  // Exactly as many as were asked for and no word about pages: the rest may have been cut off.
  for (let count = pageSize; mayBeCutOff(answer, count); answer = await ask(count)) {
    if (count >= LARGEST_PAGE) throw cutOff(type, answer)
    count *= 2
  }
  if (answer.nextUrl !== undefined) return { resources: answer.resources, next: queryOf(answer.nextUrl) }
  if (next === undefined && answer.total !== undefined && answer.total > answer.resources.length) {
    throw cutOff(type, answer)
  }
  return { resources: answer.resources }
}

function mayBeCutOff({ resources, entries, hasLinks }: SearchAnswer, count: number): boolean {
  return !hasLinks && (resources.length === count || entries === count)
}

/** The parameters of the first page, overridden by those of the link to this one. */
export function pageQuery(params: URLSearchParams, count: number, next: string | undefined): URLSearchParams {
  const query = new URLSearchParams(params)
  query.set('_count', String(count))
  const link = new URLSearchParams(next ?? '')
  for (const name of new Set(link.keys())) {
    query.delete(name)
    for (const value of link.getAll(name)) query.append(name, value)
  }
  return query
}

export function queryOf(url: string): string {
  const start = url.indexOf('?')
  return start === -1 ? '' : url.slice(start + 1)
}

/** What may pass, so the task is tried again. */
function tooSlow(type: ResourceType, timeout: number): ExportError {
  const text = `The search service of ${type} did not answer within ${timeout / 1000} seconds.`
  return new ExportError(503, text, { code: 'timeout', retryAfter: 10 })
}

function cutOff(type: ResourceType, { resources, total }: SearchAnswer): ExportError {
  const missing = total === undefined ? '' : ` of ${total}`
  return new ExportError(
    500,
    `The search service of ${type} gave ${resources.length} resources${missing} and no link to the next page, so ` +
      'an export would be incomplete. Let it return all matches, or a Bundle with link "next".',
  )
}
