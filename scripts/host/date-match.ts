import { anyRange, type RangeTest } from './date-expression.js'
import { type DateRange, parseDateRange } from './date-range.js'
import { anyOf, elementExists, elementWith, type Filter } from './element-filter.js'
import { invalid } from './refusal.js'
import type { Step, Target } from './search-target.js'

/**
 * Text that is enough to tell where a stored date is, in milliseconds since 1970 UTC. All beginning after
 * `after` match and so do all beginning before `before`; of the others only what may lie between `from` and
 * `until` (none: no limit) needs a closer look.
 */
interface Zones {
  readonly after?: number
  readonly before?: number
  readonly from?: number
  readonly until?: number
}

interface DateSearch {
  readonly zones: Zones
  readonly test: RangeTest
}

/**
 * The hour on a clock is at most 14 hours off UTC, in either direction, so dates that are farther apart than
 * this compare as text, whatever their time zones are. The hour on top is for their precision.
 */
const CLOCKS_DIFFER = 15 * 3_600_000

/** Sorts after every digit. */
const AFTER_DIGITS = ':'

/**
 * What a date parameter matches in one element: a date with a prefix, where the stored date and the searched
 * one each stand for a range (FHIR R4, Search, date). Most documents are decided by comparing text, which an
 * index can do; the few that are near to a limit by reading their date.
 *
 * @param now for `ap`, which is as wide as a tenth of the time that has passed since or will pass until then
 */
export function matchDate(target: Target, value: string, now: Date): Filter {
  const [, prefix = 'eq', text = ''] = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)$/s.exec(value) ?? []
  const range = parseDateRange(text)
  if (range === undefined) throw invalid(`"${value}" is not a date, with or without a prefix such as ge.`)
  const { zones, test } = searchFor(prefix, range, now.getTime())
  if (target.kind === 'Period') return periodFilter(target, zones, test)
  if (target.kind === 'Timing')
    return { $and: [elementExists(target.steps), { $expr: anyRange(target, test) }] }
  return dateFilter(target, zones, test)
}

function searchFor(prefix: string, { start, end }: DateRange, now: number): DateSearch {
  const [first, after] = [new Date(start), new Date(end)]
  const contained: RangeTest = (from, until) => ({
    $and: [{ $gte: [from, first] }, { $lte: [until, after] }],
  })
  switch (prefix) {
    case 'gt':
      return { zones: { after: end, from: end, until: end }, test: (_, until) => ({ $gt: [until, after] }) }
    case 'sa':
      return { zones: { after: end, from: end, until: end }, test: (from) => ({ $gte: [from, after] }) }
    case 'ge':
      return {
        zones: { after: end, from: start, until: end },
        test: (from, until) => ({ $or: [{ $gt: [until, after] }, contained(from, until)] }),
      }
    case 'lt':
      return { zones: { before: start, from: start, until: start }, test: (from) => ({ $lt: [from, first] }) }
    case 'le':
      return {
        zones: { before: start, from: start, until: end },
        test: (from, until) => ({ $or: [{ $lt: [from, first] }, contained(from, until)] }),
      }
    case 'eb':
      return { zones: { until: start }, test: (_, until) => ({ $lte: [until, first] }) }
    case 'ne':
      return { zones: {}, test: (from, until) => ({ $not: [contained(from, until)] }) }
    case 'ap': {
      const margin = Math.abs(now - start) / 10
      const [earliest, latest] = [new Date(start - margin), new Date(end + margin)]
      return {
        zones: { from: start - margin, until: end + margin },
        test: (from, until) => ({ $and: [{ $lt: [from, latest] }, { $gt: [until, earliest] }] }),
      }
    }
    default:
      return { zones: { from: start, until: end }, test: contained }
  }
}

function dateFilter(target: Target, zones: Zones, test: RangeTest): Filter {
  const { steps } = target
  const earliest = zones.from === undefined ? '0' : stamp(zones.from - CLOCKS_DIFFER)
  const latest = zones.until === undefined ? AFTER_DIGITS : stamp(zones.until + CLOCKS_DIFFER)
  // The year, month and day of the earliest are text that sorts before it, but may last until after it.
  const partial = zones.from === undefined ? [] : [4, 7, 10].map((length) => earliest.slice(0, length))
  const isNear = (text: string) => ({
    $or: [{ $and: [{ $gte: [text, earliest] }, { $lt: [text, latest] }] }, { $in: [text, partial] }],
  })
  const precise = { $expr: anyRange(target, test, isNear) }
  const near = [{ $gte: earliest, $lt: latest }, ...(partial.length > 0 ? [{ $in: partial }] : [])]
  return anyOf([
    ...certain(steps, '', zones),
    ...near.map((text) => ({ $and: [elementWith(steps, { '': text }), precise] })),
  ])
}

/** Periods may have begun long before, or without a known start, so few are decided by text. */
function periodFilter(target: Target, zones: Zones, test: RangeTest): Filter {
  const { steps } = target
  return anyOf([
    ...certain(steps, 'start', zones),
    { $and: [elementExists(steps), { $expr: anyRange(target, test) }] },
  ])
}

function certain(steps: readonly Step[], start: string, { after, before }: Zones): Filter[] {
  const tests = [
    after !== undefined && { $gte: stamp(after + CLOCKS_DIFFER), $lt: AFTER_DIGITS },
    before !== undefined && { $gte: '0', $lt: stamp(before - CLOCKS_DIFFER) },
  ]
  return tests.filter((test) => test !== false).map((test) => elementWith(steps, { [start]: test }))
}

/** Date and time in UTC, to the second; text that sorts before or after all dates outside of four-digit years. */
function stamp(time: number): string {
  if (time < Date.UTC(-1, 12)) return '0'
  return time < Date.UTC(10_000, 0) ? new Date(time).toISOString().slice(0, 19) : AFTER_DIGITS
}
