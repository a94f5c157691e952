import Table from 'cli-table3'
import { type Diagnosis, type Finding, LEVELS, type Level } from '../../plugin/doctor/finding.js'

/** Names of types are listed up to this many. */
const MOST_NAMES = 8
/** What of the width of the terminal goes to what was found, what it costs and what to do. */
const SHARES = [0.36, 0.32, 0.32]
const FRAME = 13

/**
 * A diagnosis for people: what is not as it should be as a table, worst first, the same in several types being one row;
 * what is good in a line for each area.
 *
 * @param width of the terminal, in characters
 */
export function reportDiagnosis(diagnosis: Diagnosis, width: number): string {
  return [waysText(diagnosis), goodText(diagnosis), troubleTable(diagnosis, width), sumText(diagnosis)]
    .filter((part) => part !== '')
    .join('\n\n')
}

/** The commands that make the missing indexes, for `mongosh`; empty when none is missing. */
export function indexCommands({ findings }: Diagnosis, database: string): string {
  const commands = findings.flatMap((finding) => ('commands' in finding ? (finding.commands ?? []) : []))
  if (commands.length === 0) return ''
  return [`db = db.getSiblingDB(${JSON.stringify(database)})`, ...new Set(commands)].join('\n')
}

function waysText({ readings }: Diagnosis): string {
  const ways = groupsOf(readings, ({ way, reason }) => `${way}: ${reason}`)
  return [...ways].map(([text, types]) => `${count(types.length, 'type')} read by ${text}`).join('\n')
}

function goodText({ findings, readings }: Diagnosis): string {
  const good = findings.filter(({ level, type }) => level === 'ok' && type === undefined)
  const lines = [...groupsOf(good, ({ area }) => area)].map(([area, group]) => {
    const texts = group.map(({ what, detail }) =>
      detail === undefined ? what : `${what.slice(0, -1)} (${detail}).`,
    )
    return `ok  ${area}: ${texts.join(' ')}`
  })
  const bad = new Set(findings.filter(({ level }) => level !== 'ok').map(placeOf))
  const looked = new Set(findings.filter(({ check }) => check === 'answer').map(placeOf))
  const fine = readings.map(placeOf).filter((place) => looked.has(place) && !bad.has(place))
  const empty = fine.filter((place) => isEmpty(place, findings))
  if (fine.length > 0) {
    const without = empty.length === 0 ? '' : `, ${empty.length} of them without resources to look at`
    lines.push(`ok  types: nothing is wrong with ${count(fine.length, 'type')}${without}.`)
  }
  return lines.join('\n')
}

/** Whether nothing but the answer itself could be looked at. */
function isEmpty(place: string, findings: readonly Finding[]): boolean {
  return !findings.some((finding) => finding.check === 'resources' && placeOf(finding) === place)
}

function troubleTable({ findings }: Diagnosis, width: number): string {
  const troubles = findings.flatMap((finding) => (finding.level === 'ok' ? [] : [finding]))
  if (troubles.length === 0) return ''
  const table = new Table({
    head: ['level', 'what', 'what it costs', 'what to do'],
    colWidths: [9, ...SHARES.map((share) => Math.max(24, Math.floor((width - FRAME) * share)))],
    wordWrap: true,
    style: { head: [], border: [] },
  })
  const groups = groupsOf(troubles, ({ level, area, check, what, cost, remedy }) =>
    [level, area, check, what, cost, remedy].join('\n'),
  )
  const worstFirst = [...groups.values()].sort((a, b) => rank(b) - rank(a))
  for (const group of worstFirst) {
    const [first] = group
    if (first === undefined) continue
    table.push([first.level, `${first.area}: ${first.what}${whereText(group)}`, first.cost, first.remedy])
  }
  return table.toString()
}

/** The places of a group, as far as there is room. */
function whereText(group: readonly Finding[]): string {
  const places = group.flatMap(({ type, detail }) => {
    if (type === undefined) return detail ?? []
    return detail === undefined ? type : `${type} (${detail})`
  })
  if (places.length === 0) return ''
  const more = places.length > MOST_NAMES ? `, and ${places.length - MOST_NAMES} more` : ''
  return `\n${places.slice(0, MOST_NAMES).join(', ')}${more}`
}

function sumText({ findings, isComplete, ms }: Diagnosis): string {
  const number = (level: Level) => findings.filter((finding) => finding.level === level).length
  const sums = [
    count(number('error'), 'error'),
    count(number('warning'), 'warning'),
    count(number('notice'), 'notice'),
  ]
  const part = isComplete ? '' : ' Not everything was looked at.'
  return `${sums.join(', ')} in ${(ms / 1000).toFixed(1)} s.${part}`
}

function placeOf({ type, version }: { readonly type?: string; readonly version?: string }): string {
  return `${type} ${version}`
}

function rank([first]: readonly Finding[]): number {
  return LEVELS.indexOf(first?.level ?? 'ok')
}

function groupsOf<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
