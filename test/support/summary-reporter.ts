import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

/**
 * Mocha's usual output for people and, for programs, its final figures in a file:
 * `mocha --reporter test/support/summary-reporter.ts --reporter-option output=FILE`.
 * The file is written at the end only: a run that crashes leaves none.
 */
export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const output: unknown = options.reporterOptions?.output
    if (typeof output !== 'string') throw new Error('--reporter-option output=FILE is missing')
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending, duration } = this.stats
      writeFileSync(output, `${JSON.stringify({ passes, failures, pending, duration })}\n`)
    })
  }
}
