// Runs the commands of a snippet against a server that is there.
const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { existsSync, readFileSync } = require('node:fs')
const { promisify } = require('node:util')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { config, mongodb, storage, serve, play } = require('./host.cjs')

play(async () => {
  const base = await serve(createBulkExport({ config, mongodb, storage }))
  const commands = readFileSync('snippet.sh', 'utf8').trim().split('\n')
  for (const command of commands) {
    const [npx, ...words] = command.replace('https://fhir.example.org/4_0_0', base).split(' ')
    // The package is in this folder; whatever else npx would fetch, nobody means.
    const call = promisify(execFile)(npx, ['--no-install', ...words])
    if (command.includes('--client-id')) {
      // Its key is somebody else's: that it is asked for shows that the options are known. Signing in has tests of its own.
      const { code, stderr } = await call.then(
        () => ({}),
        (error) => error,
      )
      assert.equal(code, 2, stderr)
      assert.match(stderr, /key\.pem/)
      continue
    }
    await call
    const folder = words[words.indexOf('--out') + 1]
    assert.ok(existsSync(`${folder}/manifest.json`), command)
    assert.ok(existsSync(`${folder}/Observation-1.ndjson`), command)
  }
})
