import type { RootHookObject } from 'mocha'
import { failOnLeak } from './leak-check.js'
import { settleDatabases, stopTestServer } from './mongodb.js'
import { removePackedProject } from './packed-project.js'

/** Mocha loads this file before the tests, see `.mocharc.json`. */
export const mochaHooks: RootHookObject = {
  async afterEach(this: Mocha.Context) {
    const test = this.currentTest
    const passed = test?.isPassed() || test?.isPending()
    await settleDatabases({ title: test?.fullTitle() ?? '', failed: !passed })
  },
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer()
  await removePackedProject()
  failOnLeak()
}
