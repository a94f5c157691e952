import type { TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'
import { type PageWalk, walkPages } from './page-walk.js'

/** Reading more than this a second time would be a burden. */
const MOST_RESOURCES = 1000

/** Whether the same search gives the same pages. */
export const stability: TypeCheck = {
  name: 'stability',
  failure: {
    level: 'error',
    search: 'The same search, made again,',
    cost: 'An export of the type may fail.',
  },
  async run({ walk, probe }) {
    if (walk.repeats || walk.resources.length > MOST_RESOURCES) return []
    const again = await walkPages(probe)
    if (isEqual(inOrder(walk), inOrder(again))) return [SAME]
    // Something may have been written meanwhile. That it happens twice is less likely.
    const third = await walkPages(probe)
    if (isEqual(inOrder(again), inOrder(third))) return [SAME]
    if (isEqual(sorted(again), sorted(third))) return [REORDERED]
    const [second, last] = [idsOf(again), idsOf(third)]
    const lost = [...second].filter((id) => !last.has(id)).length
    return [{ ...MOVED, detail: `${lost} of ${second.size} not there again` }]
  },
}

const SAME: Remark = { level: 'ok', what: 'The same search gives the same pages.' }

const REORDERED: Remark = {
  level: 'notice',
  what: 'The same search gives pages in another order within.',
  cost: 'A task that goes on after an interruption begins anew.',
  remedy: 'Sort by something that is unique, such as the id.',
}

const MOVED: Remark = {
  level: 'error',
  what: 'The same search gives other pages each time.',
  cost: 'Exports lack resources, or have them twice. (It may also be that much is being written just now.)',
  remedy: 'Sort by something that is unique and does not change, such as the id.',
}

type Pages = readonly (readonly string[])[]

function inOrder({ pages }: PageWalk): Pages {
  return pages.map(({ resources }) => resources.map(({ id }) => id ?? ''))
}

function sorted(walk: PageWalk): Pages {
  return inOrder(walk).map((ids) => [...ids].sort())
}

function idsOf(walk: PageWalk): ReadonlySet<string> {
  return new Set(inOrder(walk).flat())
}

function isEqual(a: Pages, b: Pages): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
