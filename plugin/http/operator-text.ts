import type { ExportView } from '../jobs/export-view.js'
import type { JobStatus } from '../jobs/model.js'
import { type Html, html } from './html.js'

/** What people call the states of an export, in the order of its life. */
export const STATES: ReadonlyMap<JobStatus, string> = new Map([
  ['accepted', 'Waiting'],
  ['running', 'Running'],
  ['completed', 'Completed'],
  ['failed', 'Failed'],
  ['expired', 'Expired'],
  ['cancelled', 'Cancelled'],
])

/** The state of an export in a word, with a sign and a colour that say the same. */
export function stateMark(status: JobStatus): Html {
  return html`<span class="state ${status}">${STATES.get(status) ?? status}</span>`
}

/** Such as `1,234,567`. */
export function numberText(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Such as `1 file` and `2 files`. */
export function countText(count: number, one: string, more = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : more}`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Such as `12.3 MiB`. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0]
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** Such as `1 h 5 min`, the two largest units. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const days = Math.floor(whole / 86_400)
  const parts = [
    [days, 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const
  const first = parts.findIndex(([value]) => value > 0)
  if (first === -1) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A moment in UTC, for people and for machines. */
export function timeMark(time: Date): Html {
  const iso = time.toISOString()
  const text = `${time.getUTCDate()} ${MONTHS[time.getUTCMonth()]} ${time.getUTCFullYear()}, ${iso.slice(11, 19)} UTC`
  return html`<time datetime="${iso}">${text}</time>`
}

/** So many digits of an id tell exports apart that people look at. */
export function shortId(id: string): string {
  return id.slice(0, 8)
}

/** What was asked for, such as `Group diabetics`. */
export function levelText({ level, groupId }: Pick<ExportView, 'level' | 'groupId'>): string {
  if (level === 'system') return 'System'
  return level === 'patient' ? 'All patients' : `Group ${groupId ?? ''}`
}

/** Client and user, where the plugin itself has put the owner together; otherwise the owner as it is. */
export function ownerText(owner: string | undefined): string {
  if (owner === undefined) return 'anybody'
  const [, client, subject] = namesIn(owner)
  const names = [client, subject].filter((name) => typeof name === 'string' || typeof name === 'number')
  return names.length === 0 ? owner : [...new Set(names)].join(' · ')
}

function namesIn(owner: string): readonly unknown[] {
  try {
    const names: unknown = JSON.parse(owner)
    return Array.isArray(names) && names.length === 3 ? names : []
  } catch {
    return []
  }
}
