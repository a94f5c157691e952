import type { Logger } from 'winston'
import { createLogger } from '../../config/logger.js'
import { readSettings, type Settings } from '../../config/settings.js'

/**
 * Runs the main function of a program and ends the process: exit code 0, or 1 with one line that says what is
 * wrong.
 */
export async function runProgram(
  main: (settings: Settings, logger: Logger) => Promise<void>,
): Promise<never> {
  try {
    const settings = readSettings()
    await main(settings, createLogger(settings))
    process.exit(0)
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}
