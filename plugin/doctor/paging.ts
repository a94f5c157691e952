import type { ExaminedType, TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'

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
    if (walk.pages.length > 1) return [...(await pagesRemarks(examined))]
    if (first.total !== undefined && first.total > first.resources.length && first.next === undefined) {
      return [CUT_OFF]
    }
    if (first.entries > probe.count) return [{ ...ALL_AT_ONCE, detail: `${first.entries} at once` }]
    if (first.hasLinks || first.entries < probe.count) return [{ level: 'ok', what: PAGES_WORK }]
    // As many as were asked for and no link: the rest may have been cut off.
    const more = await probe.search({ count: probe.count * 2 })
    return [more.entries > probe.count ? NO_LINKS : { level: 'ok', what: PAGES_WORK }]
  },
}

const PAGES_WORK = 'Pages are as asked for, lead on and end.'

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

async function pagesRemarks({ walk, probe }: ExaminedType): Promise<readonly Remark[]> {
  const { pages, resources } = walk
  const ids = resources.flatMap(({ id }) => id ?? [])
  const repeated = ids.length - new Set(ids).size
  const largest = Math.max(...pages.map(({ entries }) => entries))
  const remarks: Remark[] = []
  if (repeated > 0) {
    remarks.push({
      level: 'error',
      what: 'Resources come on more than one page.',
      detail: `${repeated} of ${ids.length}`,
      cost: 'Exports have them twice, and may lack others in their place.',
      remedy:
        'Sort by something that is unique, such as the id, and let each page begin after the last of the one before.',
    })
  }
  if (largest > probe.count) {
    remarks.push({
      level: 'notice',
      what: 'Pages are larger than _count says.',
      detail: `${largest} for ${probe.count}`,
      cost: 'A worker holds such a page in memory, whatever pageSize and maxPageBytes say.',
      remedy: 'Heed _count, which is in context.req.query.',
    })
  }
  return remarks.length > 0 ? remarks : [{ level: 'ok', what: PAGES_WORK }]
}
