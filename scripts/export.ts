#!/usr/bin/env node
import { exportToken } from '../config/export-token.js'
import { codeOf, EXIT_CODES } from './client/failure.js'
import { exportProgram } from './client/program.js'

// Whoever read the output may have seen enough: the files and the exit code count.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error
  })
}

process.exitCode = await exportProgram({
  words: process.argv.slice(2),
  token: exportToken(),
  stdout: process.stdout,
  stderr: process.stderr,
  onSignals(end) {
    const endings = { SIGINT: 'interrupted', SIGTERM: 'terminated' } as const
    for (const [signal, ending] of Object.entries(endings)) {
      process.once(signal, () => {
        end(ending)
        // For whoever cannot wait.
        process.once(signal, () => process.exit(EXIT_CODES[ending]))
      })
    }
  },
})
