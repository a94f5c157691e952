import { readSettings } from '../config/settings.js'

/** How long the server may take, in ms. */
const PATIENCE = 4000

// Whether the server on this machine answers: exit code 0 or 1, and one line that says what is wrong.
try {
  const { port } = readSettings()
  const answer = await fetch(`http://127.0.0.1:${port}/4_0_0/metadata`, {
    signal: AbortSignal.timeout(PATIENCE),
  })
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`)
  await answer.arrayBuffer()
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
