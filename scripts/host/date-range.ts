/** The time that a FHIR date, dateTime or instant stands for, in milliseconds since 1970 UTC. */
export interface DateRange {
  readonly start: number
  /** The first millisecond after it. */
  readonly end: number
}

const DATE =
  /^(?<year>\d{4})(?:-(?<month>\d\d)(?:-(?<day>\d\d)(?:T(?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?<fraction>\.\d+)?)?(?<zone>Z|[+ -]\d\d:\d\d)?)?)?)?$/

/**
 * Reads a date as precise as it is written, a year being all of the year. Without a time zone it is UTC. A
 * space stands for the `+` of a time zone that was not encoded in a URL.
 *
 * @returns `undefined` for anything else, days that are in no calendar among them
 */
export function parseDateRange(text: string): DateRange | undefined {
  const parts = DATE.exec(text)?.groups
  if (parts === undefined) return undefined
  const { year = '', month, day, hour, minute, second, fraction, zone = 'Z' } = parts
  const date = `${year}-${month ?? '01'}-${day ?? '01'}`
  const time = `${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}${fraction?.slice(0, 4) ?? ''}`
  const start = Date.parse(`${date}T${time}${zone.replace(' ', '+')}`)
  if (Number.isNaN(start) || !isCalendarDay(date)) return undefined
  if (fraction !== undefined) return { start, end: start + 1 }
  if (second !== undefined) return { start, end: start + 1000 }
  if (hour !== undefined) return { start, end: start + 60_000 }
  const end = new Date(start)
  if (day !== undefined) end.setUTCDate(end.getUTCDate() + 1)
  else if (month !== undefined) end.setUTCMonth(end.getUTCMonth() + 1)
  else end.setUTCFullYear(end.getUTCFullYear() + 1)
  return { start, end: end.getTime() }
}

function isCalendarDay(date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date)
}
