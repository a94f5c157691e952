import type { HostProfile } from '../../../plugin/index.js'

/** A resource of the tests. Its ids and values begin with `secret`, so that they are known where they must not be. */
export interface ModelResource {
  readonly resourceType: string
  readonly id?: string
  readonly meta?: { readonly lastUpdated?: unknown }
  readonly [element: string]: unknown
}

type Args = Readonly<Record<string, unknown>>
type Query = Readonly<Record<string, string>>
type Search = (args: Args, query: Query) => unknown

/** What a good service is made of; tests put something bad in the place of a part. */
export interface ModelParts {
  /** Whether a resource matches the value of an argument, which has no commas. */
  matches(resource: ModelResource, name: string, value: string): boolean
  /** The values of an argument, any of which is enough. */
  values(value: string): readonly string[]
  /** The resources in the order in which they are handed out; asked at each search. */
  ordered(resources: readonly ModelResource[]): readonly ModelResource[]
  /** The page of what matches. */
  page(matching: readonly ModelResource[], query: Query): unknown
  /** All of it; to throw, to hang, or to answer with something else. */
  search(args: Args, query: Query, answer: Search): unknown
}

/** A service over some resources in memory, whose time and patients are compared by its own few lines. */
export function modelProfile(
  resources: readonly ModelResource[],
  bad: Partial<ModelParts> = {},
  versions: readonly string[] = ['4_0_0'],
): HostProfile {
  const parts: ModelParts = { ...GOOD, ...bad }
  const answer: Search = (args, query) => {
    const asked = Object.entries(args).filter(([name]) => name !== 'base_version')
    const matching = parts
      .ordered(resources)
      .filter((resource) =>
        asked.every(([name, value]) =>
          parts.values(String(value)).some((one) => parts.matches(resource, name, one)),
        ),
      )
    return parts.page(matching, query)
  }
  const search = async (args: Args, { req }: { readonly req: unknown }) =>
    parts.search(args, (req as { query: Query }).query, answer)
  return { service: { search }, versions }
}

export function bundle(resources: readonly ModelResource[], more: object = {}): object {
  return { resourceType: 'Bundle', entry: resources.map((resource) => ({ resource })), ...more }
}

/** A page from a start on, with links. */
export function pageFrom(
  matching: readonly ModelResource[],
  { _count: count = '50' }: Query,
  start: number,
): object {
  const end = start + Number(count)
  const url = 'https://fhir.example.org/4_0_0/Any'
  const next = end < matching.length ? [{ relation: 'next', url: `${url}?_start=${end}` }] : []
  return bundle(matching.slice(start, end), { link: [{ relation: 'self', url }, ...next] })
}

export const GOOD: ModelParts = {
  matches(resource, name, value) {
    if (name === '_id') return resource.id === value
    if (name === '_lastUpdated') return isWithin(resource, value)
    const reference = (resource[name] ?? resource['subject']) as { reference?: string } | undefined
    const end = reference?.reference?.replace(/^https:\/\/fhir\.example\.org\/4_0_0\//, '')
    return end?.replace(/\/_history\/.*/, '') === value
  },
  values: (value) => value.split(','),
  ordered: (resources) => resources,
  page: (matching, query) => pageFrom(matching, query, Number(query['_start'] ?? 0)),
  search: (args, query, answer) => answer(args, query),
}

function isWithin({ meta }: ModelResource, value: string): boolean {
  const time = new Date(meta?.lastUpdated as string).getTime()
  const limit = new Date(value.slice(2)).getTime()
  return value.startsWith('gt') ? time > limit : time < limit
}
