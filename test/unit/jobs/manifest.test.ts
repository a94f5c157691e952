import { expect } from 'chai'
import fc from 'fast-check'
import { manifestOf, progressOf } from '../../../plugin/jobs/manifest.js'
import type { ExportJob, ExportTask, OutputFile, TaskStatus } from '../../../plugin/jobs/model.js'

const JOB: ExportJob = {
  _id: 'a'.repeat(32),
  status: 'completed',
  level: 'system',
  types: ['Observation', 'Patient'],
  transactionTime: new Date('2024-01-31T12:00:00.123Z'),
  requestUrl: 'https://fhir.example.org/4_0_0/$export?_type=Observation,Patient',
  base: 'https://fhir.example.org/4_0_0',
  caller: '{"headers":{"x-secret":"do not tell"}}',
  fileNumbers: { Observation: 12, Patient: 1 },
  served: 0,
}

let index = 0
function task(
  type: string,
  files: readonly (readonly [number, number])[],
  status: TaskStatus = 'done',
): ExportTask {
  index += 1
  return {
    _id: `${JOB._id}-${index}`,
    job: JOB._id,
    kind: 'resources',
    type,
    status,
    attempt: 1,
    failures: 0,
    files: files.map(([number, resources]) => {
      return { kind: 'output', name: `${type}-${number}.ndjson`, resources, bytes: 1 }
    }),
  }
}

const urlOf = ({ name }: OutputFile) => `https://files/${name}`

describe('manifestOf', () => {
  it('lists patients first, then types by name, each with its files by number [OR-03]', () => {
    const tasks = [
      task('Observation', [
        [10, 3],
        [2, 5],
        [1, 7],
      ]),
      task('Condition', [[1, 2]]),
      task('PatientX', [[1, 1]]),
      task('Patient', [
        [3, 1],
        [1, 9],
      ]),
      task('Account', []),
    ]
    const order = [
      'Patient-1',
      'Patient-3',
      'Condition-1',
      'Observation-1',
      'Observation-2',
      'Observation-10',
    ]
    expect(manifestOf(JOB, tasks, false, urlOf)).to.deep.equal({
      transactionTime: '2024-01-31T12:00:00.123Z',
      request: JOB.requestUrl,
      requiresAccessToken: false,
      output: [...order, 'PatientX-1'].map((name, position) => ({
        type: name.split('-')[0],
        url: `https://files/${name}.ndjson`,
        count: [9, 1, 2, 7, 5, 3, 1][position],
      })),
      deleted: [],
      error: [],
    })
  })

  it('is the same in whatever order tasks and files come from the database', () => {
    const types = fc.uniqueArray(fc.constantFrom('Patient', 'Account', 'Observation', 'Zoo'), {
      minLength: 1,
    })
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 200 }))
    const tasks = types.chain((names) =>
      fc.tuple(
        ...names.map((type) =>
          numbers.map((given) =>
            task(
              type,
              given.map((number) => [number, number]),
            ),
          ),
        ),
      ),
    )
    const shuffled = tasks.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })),
    )
    fc.assert(
      fc.property(shuffled, ([given, other]) => {
        const reversed = other.map((one) => ({ ...one, files: [...one.files].reverse() }))
        const manifest = manifestOf(JOB, given, false, urlOf)
        expect(manifestOf(JOB, reversed, false, urlOf)).to.deep.equal(manifest)
        expect(manifest.output).to.have.lengthOf(given.flatMap(({ files }) => files).length)
        for (const { url, count } of manifest.output) expect(url).to.include(`-${count}.ndjson`)
      }),
    )
  })

  it('leaves the tasks as they are', () => {
    const tasks = Object.freeze([
      task('Observation', [
        [2, 1],
        [1, 1],
      ]),
      task('Patient', []),
    ])
    manifestOf(JOB, tasks, false, urlOf)
    expect(tasks.map(({ type }) => type)).to.deep.equal(['Observation', 'Patient'])
  })

  it('of an export without resources has empty lists, and they are there [MF-04 EE-01]', () => {
    const manifest = manifestOf(JOB, [task('Patient', [])], false, urlOf)
    expect(manifest).to.deep.include({ output: [], deleted: [], error: [] })
  })

  for (const requiresAccessToken of [true, false]) {
    it(`says that files ${requiresAccessToken ? 'need' : 'do not need'} an access token [MF-03]`, () => {
      expect(manifestOf(JOB, [], requiresAccessToken, urlOf)).to.include({ requiresAccessToken })
    })
  }

  it('tells nothing of the caller', () => {
    expect(JSON.stringify(manifestOf(JOB, [task('Patient', [[1, 1]])], false, urlOf))).to.not.include(
      'do not tell',
    )
  })
})

describe('progressOf', () => {
  const cases: readonly [readonly ExportTask[], string][] = [
    [[], '0% complete: 0 of 0 types, 0 resources so far'],
    [[task('Patient', [], 'waiting')], '0% complete: 0 of 1 types, 0 resources so far'],
    [
      [
        task(
          'Patient',
          [
            [1, 10],
            [2, 5],
          ],
          'running',
        ),
        task('Group', [[1, 2]]),
        task('Basic', [], 'waiting'),
      ],
      '33% complete: 1 of 3 types, 17 resources so far',
    ],
    [[task('Patient', [[1, 10]])], '100% complete: 1 of 1 types, 10 resources so far'],
  ]
  for (const [tasks, expected] of cases) {
    it(`says ${JSON.stringify(expected)}`, () => {
      expect(progressOf(tasks)).to.equal(expected)
    })
  }

  it('begins with a percentage, is short, and says 100 only at the end', () => {
    const states = fc.array(fc.tuple(fc.constantFrom<TaskStatus>('waiting', 'running', 'done'), fc.nat()), {
      maxLength: 150,
    })
    fc.assert(
      fc.property(states, (given) => {
        const tasks = given.map(([status, resources]) =>
          task('MedicinalProductUndesirableEffect', [[1, resources * 4000]], status),
        )
        const said = progressOf(tasks)
        expect(said.length).to.be.below(100)
        // A header: visible ASCII only.
        expect(said).to.match(/^\d{1,3}% [\x20-\x7e]+$/)
        const percent = Number.parseInt(said, 10)
        const isDone = given.length > 0 && given.every(([status]) => status === 'done')
        expect(percent).to.be.within(0, isDone ? 100 : 99)
        if (isDone) expect(percent).to.equal(100)
      }),
    )
  })
})
