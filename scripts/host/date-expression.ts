import { pathOf } from './element-filter.js'
import type { Target } from './search-target.js'

/** A MongoDB aggregation expression. */
export type Expression = unknown

/** Whether the time from `start` to `end` (first moment after it), each a BSON date, is one searched for. */
export type RangeTest = (start: Expression, end: Expression) => Expression

/** What stands for the start of a period without one, and for its end. */
const BEGINNING = new Date(-8.64e15)
const ETERNITY = new Date(8.64e15)

/**
 * Whether any date, period or timing at this target passes the test. Stored dates are text of any precision
 * and time zone, so the database reads each as `parseDateRange` would. What is no date passes no test.
 *
 * @param mayPass whether the text of a date can pass at all. The database asks this expression before it asks
 *   the rest of a query, in whatever order these stand, so what can be told by the text is told here as well.
 */
export function anyRange(
  { steps, kind }: Target,
  test: RangeTest,
  mayPass?: (text: string) => Expression,
): Expression {
  const passes = (value: string): Expression => {
    if (kind === 'Period') return periodRange(value, test)
    if (kind === 'Timing') return timingRange(value, test)
    const precise = dateRange(value, test)
    return mayPass === undefined ? precise : { $cond: [mayPass(value), precise, false] }
  }
  const path = `$${pathOf(steps)}`
  const lists = steps.filter(({ isArray }) => isArray).length
  if (lists === 0) return passes(path)
  return { $anyElementTrue: [{ $map: { input: flatList(path, lists), in: passes('$$this') } }] }
}

function dateRange(text: string, test: RangeTest): Expression {
  const range = { $let: { vars: { end: momentAfter('$$start', text) }, in: test('$$start', '$$end') } }
  const known = { $and: [{ $ne: ['$$start', null] }, range] }
  return { $let: { vars: { start: startOf(text) }, in: known } }
}

/** A period without a start has always been, one without an end goes on; with neither it is none. */
function periodRange(period: string, test: RangeTest): Expression {
  return whenKnown(periodStart(period), periodEnd(period), test)
}

/** The outer limits of a timing: the first and the last of its events and its bounds. */
function timingRange(timing: string, test: RangeTest): Expression {
  const each = (read: (text: string) => Expression) => ({
    $map: { input: flatList(`${timing}.event`, 1), in: read('$$this') },
  })
  const bounds = `${timing}.repeat.boundsPeriod`
  return whenKnown(
    { $min: { $concatArrays: [each(startOf), [periodStart(bounds)]] } },
    { $max: { $concatArrays: [each(endOf), [periodEnd(bounds)]] } },
    test,
  )
}

function periodStart(period: string): Expression {
  return ifText(
    `${period}.start`,
    startOf,
    ifText(`${period}.end`, () => BEGINNING, null),
  )
}

function periodEnd(period: string): Expression {
  return ifText(
    `${period}.end`,
    endOf,
    ifText(`${period}.start`, () => ETERNITY, null),
  )
}

function whenKnown(start: Expression, end: Expression, test: RangeTest): Expression {
  const known = { $and: [{ $ne: ['$$start', null] }, { $ne: ['$$end', null] }, test('$$start', '$$end')] }
  return { $let: { vars: { start, end }, in: known } }
}

/** The first moment of what a date stands for; `null` for what is no date. */
function startOf(text: string): Expression {
  return ifText(text, () => ({ $dateFromString: { dateString: completed(text), onError: null } }), null)
}

/** The first moment after what a date stands for; `null` for what is no date. */
function endOf(text: string): Expression {
  return ifText(text, () => momentAfter(startOf(text), text), null)
}

/** A moment and as much later as the text is precise. */
function momentAfter(startDate: Expression, text: string): Expression {
  const unit = byPrecision(text, ['year', 'month', 'day'], {
    $cond: [{ $eq: [{ $substrCP: [text, 19, 1] }, '.'] }, 'millisecond', 'second'],
  })
  return { $dateAdd: { startDate, unit, amount: 1 } }
}

function completed(text: string): Expression {
  const endings = ['-01-01T00:00:00Z', '-01T00:00:00Z', 'T00:00:00Z']
  return byPrecision(
    text,
    endings.map((ending) => ({ $concat: [text, ending] })),
    text,
  )
}

/** One of three by the precision of a date: year, month or day; else the other. */
function byPrecision(text: string, [year, month, day]: readonly Expression[], other: Expression): Expression {
  const lengthIs = (length: number) => ({ $eq: [{ $strLenCP: text }, length] })
  const monthOrFiner = {
    $cond: [lengthIs(7), month, { $cond: [lengthIs(10), day, other] }],
  }
  return { $cond: [lengthIs(4), year, monthOrFiner] }
}

function ifText(value: string, read: (text: string) => Expression, other: Expression): Expression {
  return { $cond: [{ $eq: [{ $type: value }, 'string'] }, read(value), other] }
}

/** The values of a path through so many lists as one list. */
function flatList(value: string, lists: number): Expression {
  let list: Expression = asList(value)
  for (let level = 1; level < lists; level++) {
    list = {
      $reduce: { input: list, initialValue: [], in: { $concatArrays: ['$$value', asList('$$this')] } },
    }
  }
  return list
}

function asList(value: Expression): Expression {
  return { $cond: [{ $isArray: [value] }, value, [value]] }
}
