import type { Logger } from 'winston'
import { createLogger } from '../../config/logger.js'
import { readSettings, type Settings } from '../../config/settings.js'

/**
 * Runs the main function of a program and ends the process: with the exit code that it gives, else 0, or with one line
 * that says what is wrong.
 *
 * @param failed the exit code when it throws
 */
export async function runProgram(
  main: (settings: Settings, logger: Logger) => Promise<number> | Promise<void>,
  failed = 1,
): Promise<never> {
  try {
    const settings = readSettings()
    process.exit((await main(settings, createLogger(settings))) ?? 0)
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(failed)
  }
}
