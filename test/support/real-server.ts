/** Milliseconds a hook may take that may have to build or fetch a server first. */
export const SERVER_TIMEOUT = 600_000

/**
 * What `open` gives, for a `before` hook (a `function`, not an arrow) of a suite that needs a server which not every
 * machine has. When `open` rejects, all tests of the suite are skipped and the reason is printed; with `CI=true` the
 * hook fails instead, so that nobody takes a run without the server for a whole one.
 */
export async function openOrSkip<T>(context: Mocha.Context, open: () => Promise<T>): Promise<T> {
  context.timeout(SERVER_TIMEOUT)
  try {
    return await open()
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    console.error(`      skipped: ${error instanceof Error ? error.message : String(error)}`)
    return context.skip()
  }
}
