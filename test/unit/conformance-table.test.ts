import { expect } from 'chai'
import { ROWS } from '../conformance/rows.js'
import { findingsOf, isFullRun, type Row, type RunTest, tableOf } from '../conformance/table.js'

// Titles here are made by functions, lest this file names rows itself.
const tagged = (title: string, ...ids: readonly string[]) => `${title} [${ids.join(' ')}]`
const ran = (state: RunTest['state'], ...titles: readonly string[]): RunTest => {
  return { file: 'test/e2e/a.test.ts', titles, state }
}
const passed = (...titles: readonly string[]) => ran('passed', ...titles)

const MUST: Row = { id: 'KO-01', level: 'SHALL', versions: '1+', requirement: 'It exports.' }
const SHOULD: Row = { id: 'ERR-02', level: 'SHOULD', versions: '2+', requirement: 'It warns.' }
const FREE: Row = { id: 'ST-10', level: 'MAY', versions: '1+', requirement: 'It tells more.' }
const EXCUSED: Row = { ...MUST, id: 'KO-10', requirement: 'It flies.', reason: 'It has no wings.' }

/** The cells of each row, without the heads. */
function cellsOf(table: string): readonly (readonly string[])[] {
  const rows = table.split('\n').filter((line) => /^\| [A-Z]+-/.test(line))
  return rows.map((line) => line.slice(2, -2).split(' | '))
}

describe('the rows of the conformance table', () => {
  it('have ids that occur once, and sentences', () => {
    const ids = ROWS.map(({ id }) => id)
    expect(new Set(ids).size).to.equal(ids.length)
    for (const { id, requirement, reason = 'None.' } of ROWS) {
      expect(id).to.match(/^(KO|QP|ST|MF|FL|DL|GR|ERR|EE|OR|AU)-\d\d$/)
      for (const text of [requirement, reason]) expect(text, id).to.match(/^[^\n]+\.$/)
    }
  })

  it('are all in the table once a test proves them', () => {
    const rows = ROWS.map(({ reason: _reason, ...row }) => row)
    const tests = rows.map(({ id }) => passed(tagged('works', id)))
    expect(findingsOf(rows, tests)).to.deep.equal([])
    expect(cellsOf(tableOf(rows, tests)).map(([id]) => id)).to.have.members(rows.map(({ id }) => id))
  })
})

describe('findingsOf', () => {
  it('finds none when each row has a test or a reason', () => {
    const tests = [passed('an export', tagged('works', 'KO-01', 'ERR-02')), passed('another')]
    expect(findingsOf([MUST, SHOULD, FREE, EXCUSED], tests)).to.deep.equal([])
  })

  it('finds each row that has neither test nor reason, in the order of the table', () => {
    const findings = findingsOf([SHOULD, MUST, FREE, EXCUSED], [passed('works')])
    expect(findings.map((finding) => finding.split(':')[0])).to.deep.equal(['KO-01', 'ERR-02'])
  })

  it('finds a row that has both', () => {
    const [finding, ...more] = findingsOf([EXCUSED], [passed(tagged('flies', 'KO-10'))])
    expect(finding).to.match(/^KO-10: .*"flies" in test\/e2e\/a\.test\.ts/)
    expect(more).to.deep.equal([])
  })

  for (const state of ['passed', 'failed', 'pending'] as const) {
    it(`finds a name of no row on a test that is ${state}`, () => {
      const findings = findingsOf([], [ran(state, tagged('a suite', 'KO-1'), tagged('works', 'XY-01'))])
      expect(findings.map((finding) => finding.split(':')[0])).to.deep.equal(['KO-1', 'XY-01'])
    })
  }

  for (const state of ['failed', 'pending', undefined] as const) {
    it(`takes nothing for proved by a test that is ${state}`, () => {
      for (const titles of [
        ['a', tagged('b', 'KO-01')],
        [tagged('a', 'KO-01'), 'b'],
        [tagged('b', 'KO-01')],
      ]) {
        expect(findingsOf([MUST], [ran(state, ...titles)])).to.have.length(1)
      }
    })

    it(`takes nothing for proved by a suite of which one test is ${state}`, () => {
      const suite = tagged('a', 'KO-01')
      const tests = [passed(suite, 'x'), ran(state, suite, 'inner', 'y'), passed(suite, 'z')]
      for (const some of [tests, [...tests].reverse()]) expect(findingsOf([MUST], some)).to.have.length(1)
      expect(cellsOf(tableOf([MUST], tests))).to.deep.equal([[...cells(MUST), 'nothing yet']])
    })
  }

  it('tells suites of the same title in several files apart', () => {
    const failed = { ...ran('failed', tagged('a', 'KO-01'), 'x'), file: 'test/unit/b.test.ts' }
    expect(findingsOf([MUST], [passed(tagged('a', 'KO-01'), 'x'), failed])).to.deep.equal([])
  })

  it('takes no other brackets for the names of rows', () => {
    const titles = ['reads ["KO-01"]', 'has _type[]', 'takes [0-9] and [A-Z]', 'KO-01', '[KO-01 or so]']
    expect(
      findingsOf(
        [MUST],
        titles.map((title) => passed(title)),
      ),
    ).to.have.length(1)
  })
})

describe('tableOf', () => {
  it('has sections and rows in order, whatever order they come in', () => {
    const rows = [SHOULD, FREE, EXCUSED, MUST, { ...MUST, id: 'KO-02' }]
    const tests = [passed(tagged('works', 'KO-02', 'ST-10'))]
    const table = tableOf(rows, tests)
    expect(cellsOf(table).map(([id]) => id)).to.deep.equal(['KO-01', 'KO-02', 'KO-10', 'ST-10', 'ERR-02'])
    expect(tableOf([...rows].reverse(), tests)).to.equal(table)
    expect(table.match(/^## .*$/gm)).to.deep.equal(['## Kick-off', '## Status', '## Errors'])
  })

  it('has the test with its suites and without the names of rows, or the reason', () => {
    const [proved, excused] = cellsOf(
      tableOf([MUST, EXCUSED], [passed(tagged('a', 'ST-10'), 'b', tagged('c', 'KO-01'))]),
    )
    expect(proved).to.deep.equal([...cells(MUST), '`test/e2e/a.test.ts`<br>• a b c'])
    expect(excused).to.deep.equal([...cells(EXCUSED), 'It has no wings.'])
  })

  it('has a suite, not each of its tests, and of many proofs the first few', () => {
    const tests = [
      ...['x', 'y'].map((test) => passed(tagged('a', 'KO-01'), test)),
      ...[1, 2, 3].map((n) => passed(tagged(`test ${n}`, 'KO-01'))),
    ]
    expect(
      cellsOf(tableOf([MUST], tests))[0]
        ?.at(-1)
        ?.split('<br>'),
    ).to.deep.equal([...['`test/e2e/a.test.ts`', '• a', '• test 1', '• test 2', 'and others']])
  })

  it('leaves out what binds nobody and nothing proves', () => {
    expect(cellsOf(tableOf([FREE, { ...FREE, id: 'ST-11', level: 'ours' }], []))).to.deep.equal([])
  })

  it('keeps titles from meaning something in Markdown', () => {
    const title = 'reads |_a*[b]`c`<d>\n e'
    const [row] = cellsOf(tableOf([MUST], [passed(tagged(title, 'KO-01'))]))
    expect(row?.at(-1)).to.equal('`test/e2e/a.test.ts`<br>• reads \\|\\_a\\*\\[b\\]\\`c\\`\\<d\\> e')
  })
})

describe('isFullRun', () => {
  const FILES = ['test/e2e/a.test.ts', 'test/unit/b.test.ts']
  const inEach = (state: RunTest['state']) => FILES.map((file) => ({ ...ran(state, 'works'), file }))

  it('is true when each test of each file had its turn, whatever came of it', () => {
    for (const state of ['passed', 'failed', 'pending'] as const) {
      expect(isFullRun([...inEach('passed'), ran(state, 'another')], FILES)).to.equal(true)
    }
  })

  it('is false when a test did not run: it was not picked, or one before it ended the run', () => {
    expect(isFullRun([...inEach('passed'), ran(undefined, 'another')], FILES)).to.equal(false)
  })

  it('is false when a file is missing', () => {
    expect(isFullRun(inEach('passed').slice(1), FILES)).to.equal(false)
    expect(isFullRun([], FILES)).to.equal(false)
  })
})

function cells({ id, level, versions, requirement }: Row): readonly string[] {
  return [id, level, versions, requirement]
}
