import type { ExportDetails, PartialProgress } from '../../../plugin/jobs/export-view.js'

/** A part with so many tasks in each state, and so many resources in those that are done and in the others. */
export function part(
  tasks: Partial<PartialProgress['tasks']>,
  [done, unfinished]: readonly [number, number] = [0, 0],
  more: Partial<PartialProgress> = {},
): PartialProgress {
  return {
    ...{
      kind: 'resources',
      type: 'Observation',
      resources: done + unfinished,
      unfinishedResources: unfinished,
    },
    tasks: { waiting: 0, running: 0, done: 0, cancelled: 0, ...tasks },
    ...{
      bytes: 100 * (done + unfinished),
      files: 1,
      problems: 0,
      failing: 0,
      failureReasons: [],
      workers: [],
    },
    ...more,
  }
}

export const NOW = new Date('2024-05-01T12:00:00.000Z')

/** The moment so many seconds before `NOW`. */
export function ago(seconds: number): Date {
  return new Date(NOW.getTime() - 1000 * seconds)
}

/** An export in which all text that comes from outside is this one. */
export function exportWith(text: string, more: Partial<ExportDetails> = {}): ExportDetails {
  const issue = { severity: 'error', code: 'value', diagnostics: text, expression: text } as const
  return {
    ...{
      _id: '0123456789abcdef0123456789abcdef',
      status: 'running',
      level: 'group',
      groupId: text,
      owner: text,
    },
    ...{ types: [text, text], transactionTime: ago(90), startedAt: ago(80), now: NOW, base: text },
    progress: [
      part({ running: 1, done: 1, waiting: 1 }, [100, 50], {
        ...{ type: text, failing: 1, problems: 1, failureReasons: [text], workers: [text] },
      }),
    ],
    lately: [{ at: ago(20), resources: 150 }],
    filters: [{ type: text, parameters: [text, text] }],
    elements: { [`x${text}`]: [text] },
    patients: 3,
    notes: [issue],
    failure: { status: 500, issues: [issue] },
    readings: [{ way: text, reason: text, types: [text] }],
    tasks: [
      {
        ...{ _id: 'x-1', kind: 'resources', type: text, status: 'waiting', attempt: 1, failures: 1 },
        ...{ worker: text, notBefore: NOW, resources: 1, lastFailure: 'timeout', isAbandoned: false },
      },
    ],
    files: [{ kind: 'output', name: text, resources: 1, bytes: 1 }],
    ...more,
  }
}
