import Table from 'cli-table3'
import type { TypeSummary } from '../client/download-export.js'

/** One downloaded export. */
export interface Downloaded {
  readonly name: string
  readonly summaries: readonly TypeSummary[]
  readonly directory: string
  /** From the kick-off to the manifest, in ms. */
  readonly ms: number
}

const NUMBER = new Intl.NumberFormat('en-GB')

/** Type, files, resources and bytes of each export, with a sum. */
export function reportExports(exports: readonly Downloaded[]): string {
  return exports.map(reportExport).join('\n')
}

function reportExport({ name, summaries, directory, ms }: Downloaded): string {
  const table = new Table({
    head: ['type', 'files', 'resources', 'bytes'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const { type, files, resources, bytes } of summaries) table.push(row(type, files, resources, bytes))
  const sum = (of: (summary: TypeSummary) => number) => summaries.reduce((total, each) => total + of(each), 0)
  table.push(
    row(
      `${summaries.length} types`,
      sum(({ files }) => files),
      sum(({ resources }) => resources),
      sum(({ bytes }) => bytes),
    ),
  )
  return `\n${name}, complete after ${(ms / 1000).toFixed(1)} s, files in ${directory}\n${table}`
}

function row(type: string, ...numbers: readonly number[]): string[] {
  return [type, ...numbers.map((number) => NUMBER.format(number))]
}
