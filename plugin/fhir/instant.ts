const INSTANT =
  /^((?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T((?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60))(\.\d+)?(Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))$/

/**
 * Reads a FHIR instant (R4 datatypes, `instant`: date, time to the second at least, and a time zone) to the
 * millisecond. A finer fraction is cut off: one that is kept on a resource is cut the same way before it is
 * compared, so that consecutive windows neither lose nor repeat it. A space before the offset stands for the
 * `+` that was not encoded in a URL. Returns `undefined` for anything else, a partial date among them.
 */
export function parseInstant(text: string): Date | undefined {
  const match = INSTANT.exec(text.trim().replace(/ (\d\d:\d\d)$/, '+$1'))
  if (!match) return undefined
  const [, day = '', time = '', fraction = '', zone = ''] = match
  // A leap second, which JavaScript does not know, is taken for the second after.
  const leap = time.endsWith(':60') ? 1000 : 0
  const date = new Date(`${day}T${time.replace(/60$/, '59')}${fraction.slice(0, 4)}${zone}`)
  const isCalendarDay = new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
  return isCalendarDay && !Number.isNaN(date.getTime()) ? new Date(date.getTime() + leap) : undefined
}
