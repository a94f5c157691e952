import { expect } from 'chai'
import { type TaskPlan, taskSubjects } from '../../../plugin/jobs/task-plan.js'

const resources = (type: string, from?: string, below?: string) => ({
  ...{ kind: 'resources', type },
  ...(from || below ? { patients: { ...(from && { from }), ...(below && { below }) } } : {}),
})

const SCAN = { origin: 'exportQuery', collection: 'c' } as const

describe('the tasks of a job', () => {
  const cases: readonly [string, TaskPlan, readonly object[]][] = [
    ['without anything are none', { types: [] }, []],
    ['are one for each type', { types: ['A', 'B'] }, [resources('A'), resources('B')]],
    [
      'are one more for what was deleted, and one for the notes',
      {
        types: ['A'],
        listsDeleted: true,
        notes: [{ severity: 'warning', code: 'invalid', diagnostics: 'x' }],
      },
      [resources('A'), { kind: 'deleted' }, { kind: 'notes' }],
    ],
    ['of a cohort of one slice are one for each type', { types: ['A'], slices: [] }, [resources('A')]],
    [
      'of a cohort in slices are one for each type and slice, which touch and leave no gap',
      { types: ['A', 'B'], slices: ['p2', 'p5'] },
      ['A', 'B'].flatMap((type) => [
        resources(type, undefined, 'p2'),
        resources(type, 'p2', 'p5'),
        resources(type, 'p5'),
      ]),
    ],
    [
      'leave Provenance whole where it comes with other resources',
      {
        ...{ types: ['A', 'Provenance'], slices: ['p2'] },
        provenance: { which: 'relevant', of: ['A'] },
      },
      [resources('A', undefined, 'p2'), resources('A', 'p2'), resources('Provenance')],
    ],
    [
      'cut Provenance like any type where it does not',
      { types: ['Provenance'], slices: ['p2'] },
      [resources('Provenance', undefined, 'p2'), resources('Provenance', 'p2')],
    ],
    [
      'of a scan are one for each range, which touch, or for each slice, and none where there is nothing',
      {
        ...{ types: ['A', 'B', 'C', 'D'], slices: ['p2'] },
        scans: {
          A: { ...SCAN, by: 'ranges', firsts: ['i', 'j'] },
          B: { ...SCAN, by: 'patients', batch: 50 },
          C: { ...SCAN, by: 'nothing' },
          D: { ...SCAN, by: 'ranges', firsts: [] },
        },
      },
      [
        { kind: 'resources', type: 'A', scan: { below: 'i' } },
        { kind: 'resources', type: 'A', scan: { from: 'i', below: 'j' } },
        { kind: 'resources', type: 'A', scan: { from: 'j' } },
        ...[resources('B', undefined, 'p2'), resources('B', 'p2')],
        { kind: 'resources', type: 'D', scan: {} },
      ],
    ],
    [
      'of scans alone that find nothing are none',
      { types: ['A'], scans: { A: { ...SCAN, by: 'nothing' } } },
      [],
    ],
  ]
  for (const [what, plan, expected] of cases) {
    it(what, () => {
      expect(taskSubjects(plan)).to.deep.equal(expected)
    })
  }
})
