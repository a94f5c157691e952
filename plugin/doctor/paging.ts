import type { Resource } from '../fhir/resource.js'
import type { TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'
import type { PageWalk } from './page-walk.js'
import type { ProbedAnswer, ServiceProbe } from './service-probe.js'

/** Whether pages are made as asked for, lead on, and end. */
export const paging: TypeCheck = {
  name: 'paging',
  failure: {
    level: 'error',
    search: 'A search for another page',
    cost: 'An export of the type fails.',
  },
  async run(examined) {
    const { walk, probe } = examined
    const [first] = walk.pages
    if (first === undefined) return []
    if (walk.repeats) return [REPEATS]
    if (walk.pages.length > 1) return pagesRemarks(walk, probe)
    return [await oneAnswerRemark(first, probe), ...twiceRemarks(walk.resources, TWICE)]
  },
}

async function oneAnswerRemark(answer: ProbedAnswer, { count, search }: ServiceProbe): Promise<Remark> {
  const { entries, resources, hasLinks, total } = answer
  if (entries > count) return { ...ALL_AT_ONCE, detail: `${entries} at once` }
  // As many as were asked for and no link: the rest may have been cut off, and an export asks for more.
  if (!hasLinks && (entries === count || resources.length === count)) {
    const more = await search({ count: count * 2 })
    if (more.entries > count) return NO_LINKS
  }
  return total !== undefined && total > resources.length ? CUT_OFF : PAGES_WORK
}

function pagesRemarks({ pages, resources }: PageWalk, { count }: ServiceProbe): readonly Remark[] {
  const largest = Math.max(...pages.map(({ entries }) => entries))
  const size = largest > count ? [{ ...LARGE_PAGES, detail: `${largest} for ${count}` }] : []
  const remarks = [...twiceRemarks(resources, ON_TWO_PAGES), ...size]
  return remarks.length > 0 ? remarks : [PAGES_WORK]
}

function twiceRemarks(resources: readonly Resource[], remark: Remark): readonly Remark[] {
  const ids = resources.flatMap(({ id }) => id ?? [])
  const repeated = ids.length - new Set(ids).size
  return repeated === 0 ? [] : [{ ...remark, detail: `${repeated} of ${ids.length}` }]
}

const PAGES_WORK: Remark = { level: 'ok', what: 'Pages are as asked for, lead on and end.' }

const REPEATS: Remark = {
  level: 'error',
  what: 'The same page comes again and again.',
  cost: 'An export of the type fails, since it could not end.',
  remedy: 'Let link "next" lead to the page after, and heed its parameters: they are in context.req.query.',
}

const CUT_OFF: Remark = {
  level: 'error',
  what: 'The Bundle names a larger total than it has, and no link to the rest.',
  cost: 'An export of the type fails, since it would be incomplete.',
  remedy: 'Give link "next" with each page but the last, or return all matches.',
}

const ALL_AT_ONCE: Remark = {
  level: 'warning',
  what: 'Everything comes at once: _count is ignored, and there are no pages.',
  cost: 'Each search has all that matches in memory, at best as large as the type, in each worker.',
  remedy: 'Heed _count, which is in context.req.query, and return a Bundle with link "next".',
}

const NO_LINKS: Remark = {
  level: 'warning',
  what: 'Answers have as many resources as _count says, and no link to the rest.',
  cost: 'Each search is repeated with twice the _count until all fits into one answer, which is held in memory.',
  remedy: 'Return a Bundle with link "next".',
}

const ON_TWO_PAGES: Remark = {
  level: 'error',
  what: 'Resources come on more than one page.',
  cost: 'Exports have them twice, and may lack others in their place.',
  remedy:
    'Sort by something that is unique, such as the id, and let each page begin after the last of the one before.',
}

const TWICE: Remark = {
  level: 'error',
  what: 'Resources come more than once in an answer.',
  cost: 'Exports have them as often.',
  remedy: 'Return each match once.',
}

const LARGE_PAGES: Remark = {
  level: 'notice',
  what: 'Pages are larger than _count says.',
  cost: 'A worker holds such a page in memory, whatever pageSize and maxPageBytes say.',
  remedy: 'Heed _count, which is in context.req.query.',
}
