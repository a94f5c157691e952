import type { Resource } from '../fhir/resource.js'
import type { ProbedAnswer, ServiceProbe } from './service-probe.js'

/** The first pages of a search, each read once. */
export interface PageWalk {
  readonly pages: readonly ProbedAnswer[]
  readonly resources: readonly Resource[]
  /** Whether the last of them had no link to another one. */
  readonly isWhole: boolean
  /** Whether a link or a page came a second time. */
  readonly repeats: boolean
}

/** More would only make a check longer. */
const MOST_PAGES = 4

/** Follows the links of a search for some pages, or until something repeats. */
export async function walkPages(
  probe: ServiceProbe,
  params: Readonly<Record<string, string>> = {},
): Promise<PageWalk> {
  const pages: ProbedAnswer[] = []
  const seen = new Set<string>()
  let next: string | undefined
  let repeats = false
  do {
    const page = await probe.search({ params, count: probe.count, next })
    pages.push(page)
    next = page.next
    for (const mark of marksOf(page)) {
      repeats ||= seen.has(mark)
      seen.add(mark)
    }
  } while (next !== undefined && !repeats && pages.length < MOST_PAGES)
  return { pages, resources: pages.flatMap((page) => page.resources), isWhole: next === undefined, repeats }
}

/** Whether a search finds a resource; `undefined` when it does not come within the first pages of more. */
export async function finds(
  probe: ServiceProbe,
  params: Readonly<Record<string, string>>,
  id: string,
): Promise<boolean | undefined> {
  const { resources, isWhole } = await walkPages(probe, params)
  if (resources.some((resource) => resource.id === id)) return true
  return isWhole ? false : undefined
}

/** What a page is known by when it comes again, as for an export. */
function marksOf({ next, resources }: ProbedAnswer): readonly string[] {
  const ids = resources.flatMap(({ id }) => id ?? [])
  const isNamed = ids.length > 0 && ids.length === resources.length
  return [...(next === undefined ? [] : [`cursor ${next}`]), ...(isNamed ? [`page ${ids.join()}`] : [])]
}
