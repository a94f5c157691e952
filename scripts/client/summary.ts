import { size } from './display.js'
import { EXIT_CODES, type ExportFailure } from './failure.js'
import type { ServerIssue } from './operation-outcome.js'
import type { ExportResult } from './run-export.js'

/** How many different issues of the server are shown. */
const MOST_ISSUES = 10

const NUMBER = new Intl.NumberFormat('en-GB')

/** What came of an export, for a person. */
export function summaryText(result: ExportResult, ms: number): string {
  const { types, deleted, error, reused, directory, transactionTime, issues, isDeleted } = result
  const rows = types.map(({ type, files, resources, bytes }) => [type, files, resources, bytes] as const)
  const sum = (column: 1 | 2 | 3) => rows.reduce((total, row) => total + row[column], 0)
  const all = [
    ...rows,
    [types.length === 1 ? '1 type' : `${types.length} types`, sum(1), sum(2), sum(3)] as const,
  ].map(([type, files, resources, bytes]) => [
    type,
    NUMBER.format(files),
    NUMBER.format(resources),
    size(bytes),
  ])
  const lines = [
    ...table([['type', 'files', 'resources', 'size'], ...all]),
    '',
    ...(deleted.files === 0 ? [] : [`Deleted since: ${NUMBER.format(deleted.lines)} entries in deleted/`]),
    ...(error.files === 0 ? [] : issueLines(issues)),
    ...(reused === 0 ? [] : [`${NUMBER.format(reused)} files were there already`]),
    `Files: ${directory}`,
    `Transaction time: ${transactionTime}; all loaded and checked in ${(ms / 1000).toFixed(1)} s`,
    ...(isDeleted ? ['The export was deleted on the server.'] : []),
  ]
  return lines.join('\n')
}

/** The same for a program: one object, always with `exitCode`. */
export function summaryJson(result: ExportResult, ms: number): string {
  const { ending, issues, types, ...rest } = result
  const bySeverity: Record<string, number> = {}
  for (const { severity } of issues) bySeverity[severity] = (bySeverity[severity] ?? 0) + 1
  return JSON.stringify({
    ...{ ending, exitCode: EXIT_CODES[ending], ...rest, types },
    resources: types.reduce((total, { resources }) => total + resources, 0),
    issues: { count: issues.length, bySeverity },
    seconds: Math.round(ms) / 1000,
  })
}

/** The same for an export that failed. */
export function failureJson({ ending, message }: ExportFailure, statusUrl: string | undefined): string {
  return JSON.stringify({ ending, exitCode: EXIT_CODES[ending], error: message, statusUrl })
}

function issueLines(issues: readonly ServerIssue[]): string[] {
  const counts = new Map<string, number>()
  for (const { severity, text } of issues) {
    const line = `${severity}: ${text}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  const shown = [...counts].slice(0, MOST_ISSUES)
  const hidden = counts.size - shown.length
  return [
    `The server tells of ${NUMBER.format(issues.length)} ${issues.length === 1 ? 'issue' : 'issues'}, in error/:`,
    ...shown.map(([line, count]) => `  ${line}${count === 1 ? '' : ` (${NUMBER.format(count)} times)`}`),
    ...(hidden === 0 ? [] : [`  and ${NUMBER.format(hidden)} more`]),
  ]
}

/** The first column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  )
}
