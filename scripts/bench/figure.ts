import Table from 'cli-table3'
import type { Headline } from './headline.js'
import type { Lab } from './lab.js'

/** One thing that the bench measures. */
export interface Figure {
  readonly name: string
  /** In one line: what its numbers mean. */
  readonly means: string
  /** @throws Error when what was measured did not do what it should: then no number counts */
  measure(lab: Lab): Promise<Findings>
}

export interface Findings {
  readonly headlines: readonly Headline[]
  /** The measurements, for `--json`. */
  readonly rows: readonly object[]
  readonly table: string
}

/** A column of the table: its head, and what it shows of a row. */
export type Column<Row> = readonly [head: string, show: (row: Row) => string]

export function findings<Row extends object>(
  headlines: readonly Headline[],
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): Findings {
  const table = new Table({
    head: columns.map(([head]) => head),
    colAligns: columns.map(() => 'right' as const),
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(columns.map(([, show]) => show(row)))
  return { headlines, rows, table: table.toString() }
}

/** The headlines of a figure, one a line, before its table. */
export function figureText({ name, means }: Figure, { headlines, table }: Findings): string {
  const width = Math.max(0, ...headlines.map(({ what }) => what.length))
  const lines = headlines.map(({ what, text, target, isMet }) => {
    const verdict = target === undefined ? '' : `   target ${target}: ${isMet ? 'met' : 'MISSED'}`
    return `  ${what.padEnd(width)}  ${text}${verdict}`
  })
  return `\n${name}: ${means}\n${lines.length === 0 ? '' : `${lines.join('\n')}\n`}${table}\n`
}
