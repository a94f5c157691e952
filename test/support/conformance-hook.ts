import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RootHookObject } from 'mocha'
import { ROWS } from '../conformance/rows.js'
import { findingsOf, isFullRun, type RunTest, tableOf } from '../conformance/table.js'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const TABLE = 'plugin/CONFORMANCE.md'

/** Mocha loads this file before the tests, see `.mocharc.json`. */
export const mochaHooks: RootHookObject = { afterAll: checkConformance }

/** After a full run: every row has a test or a reason, and the table says so. Other runs tell nothing about that. */
function checkConformance(this: Mocha.Context): void {
  const root = this.test?.parent
  if (root === undefined || hasFailedHook(root)) return
  const tests = testsIn(root)
  if (!isFullRun(tests, testFiles())) return
  const faults = [...findingsOf(ROWS, tests)]
  // The proofs of a test that failed are gone until it is mended: not what anybody wants to commit.
  if (tests.every(({ state }) => state !== 'failed')) faults.push(...settleTable(tableOf(ROWS, tests)))
  if (faults.length > 0) {
    throw new Error(['Conformance (rows: test/conformance/rows.ts):', ...faults].join('\n  '))
  }
}

/** Writes the table, or on a machine for continuous integration compares it; gives what is wrong then. */
function settleTable(table: string): readonly string[] {
  const path = join(PROJECT, TABLE)
  if (!process.env['CI']) {
    writeFileSync(path, table)
    return []
  }
  if (readOrEmpty(path) === table) return []
  return [`${TABLE} is not what the tests prove: run npm test and commit ${TABLE}`]
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\r\n', '\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function testsIn(root: Mocha.Suite): readonly RunTest[] {
  const tests: RunTest[] = []
  root.eachTest((test) => {
    const { file = '' } = test
    tests.push({ file: inProject(file), titles: test.titlePath(), state: stateOf(test) })
  })
  // By file, whatever order they were loaded in; `sort` keeps the order within a file.
  return tests.sort((a, b) => (a.file < b.file ? -1 : Number(a.file > b.file)))
}

/** A test whose hook failed afterwards has passed all the same for Mocha, which has no public list of the hooks. */
function hasFailedHook(suite: Mocha.Suite): boolean {
  const lists = suite as unknown as Readonly<Record<string, readonly Mocha.Hook[] | undefined>>
  const hooks = ['_beforeAll', '_beforeEach', '_afterEach', '_afterAll'].flatMap((name) => lists[name] ?? [])
  return hooks.some(({ state }) => state === 'failed') || suite.suites.some(hasFailedHook)
}

function stateOf(test: Mocha.Test): RunTest['state'] {
  if (test.isPending()) return 'pending'
  return test.state === 'passed' || test.state === 'failed' ? test.state : undefined
}

function testFiles(): readonly string[] {
  return readdirSync(join(PROJECT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => inProject(join(PROJECT, 'test', name)))
}

function inProject(path: string): string {
  return relative(PROJECT, path).split(sep).join('/')
}
