import type { Dice } from './dice.js'

export const MINUTE = 60_000
export const DAY = 86_400_000

/**
 * When patients visit. What follows from a visit follows within two months, so that all of it has happened before the
 * year of the updates begins.
 */
export const HISTORY = { start: Date.UTC(2014, 0, 1), end: Date.UTC(2023, 10, 1) } as const

/** Every `meta.lastUpdated` lies in this year, spread evenly: a month of it holds about a twelfth of all resources. */
export const UPDATES = { start: Date.UTC(2024, 0, 1), end: Date.UTC(2025, 0, 1) } as const

/** A moment between two others, the second excluded. */
export function momentBetween(dice: Dice, start: number, end: number): number {
  const days = Math.floor((end - start) / DAY)
  if (days < 1) return start + dice.below(Math.max(1, end - start))
  return start + dice.below(days) * DAY + dice.below(DAY)
}

/** FHIR `instant` in UTC with milliseconds. */
export function instant(moment: number): string {
  return new Date(moment).toISOString()
}

/** FHIR `date`. */
export function date(moment: number): string {
  return instant(moment).slice(0, 10)
}

/** FHIR `dateTime` to the second, as a clock `zone` minutes ahead of UTC shows it. */
export function dateTime(moment: number, zone: number): string {
  return instant(moment + zone * MINUTE).slice(0, 19) + offset(zone)
}

function offset(zone: number): string {
  if (zone === 0) return 'Z'
  const minutes = Math.abs(zone)
  return `${zone < 0 ? '-' : '+'}${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`
}
