import { readSettings } from '../config/settings.js'

/** How long the server may take, in ms. */
const PATIENCE = 4000

// Whether the server on this machine answers: exit code 0 or 1, and one line that says what is wrong.
try {
  const { port } = readSettings()
  // There is nothing, but also nothing to be made for it: the statement of capabilities takes long.
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(PATIENCE) })
  await answer.body?.cancel()
  if (answer.status >= 500) throw new Error(`The server answered ${answer.status}.`)
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
