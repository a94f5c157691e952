import fc from 'fast-check'
import { type DateRange, parseDateRange } from '../../../scripts/host/date-range.js'

// Dates close together in all precisions and time zones, and what FHIR R4 ("Search", date) says of two ranges.

/** A FHIR date, dateTime or instant of around the turn of the year 2024 in any precision and time zone. */
export const dateText: fc.Arbitrary<string> = fc
  .record({
    time: fc.integer({ min: Date.UTC(2023, 11, 29), max: Date.UTC(2024, 0, 3) }),
    minutes: fc.constantFrom(0, 0, 0, -12 * 60, -5 * 60, -210, 330, 60, 13 * 60, 14 * 60),
    length: fc.constantFrom(4, 7, 10, 19, 23, 23),
    roundTo: fc.constantFrom(1, 500, 1000, 60_000, 3_600_000),
  })
  .map(({ time, minutes, length, roundTo }) => {
    const local = new Date(Math.floor(time / roundTo) * roundTo + minutes * 60_000).toISOString()
    if (length < 19) return local.slice(0, length)
    const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
    const offset = [hours, rest].map((part) => String(part).padStart(2, '0')).join(':')
    return local.slice(0, length) + (minutes === 0 ? 'Z' : `${minutes < 0 ? '-' : '+'}${offset}`)
  })

export const prefixes = ['', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb'] as const

/** A period with a start or an end or both, the start before the end. */
export const period = fc
  .record({ start: fc.option(dateText, { nil: undefined }), end: fc.option(dateText, { nil: undefined }) })
  .map(({ start, end }) => ({ ...(start !== undefined && { start }), ...(end !== undefined && { end }) }))
  .filter((each) => Object.keys(each).length > 0 && periodRangeOf(each).start < periodRangeOf(each).end)

export function rangeOf(text: string): DateRange {
  const range = parseDateRange(text)
  if (range === undefined) throw new Error(`${text} is no date`)
  return range
}

export function periodRangeOf({ start, end }: { start?: string; end?: string }): DateRange {
  return {
    start: start === undefined ? Number.NEGATIVE_INFINITY : rangeOf(start).start,
    end: end === undefined ? Number.POSITIVE_INFINITY : rangeOf(end).end,
  }
}

/** Whether a stored range is found by a searched one. */
export function isFound(prefix: string, stored: DateRange, searched: DateRange): boolean {
  const contained = stored.start >= searched.start && stored.end <= searched.end
  const later = stored.end > searched.end
  const earlier = stored.start < searched.start
  switch (prefix) {
    case 'ne':
      return !contained
    case 'gt':
      return later
    case 'lt':
      return earlier
    case 'ge':
      return later || contained
    case 'le':
      return earlier || contained
    case 'sa':
      return stored.start >= searched.end
    case 'eb':
      return stored.end <= searched.start
    default:
      return contained
  }
}
