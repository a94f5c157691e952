const assert = require('node:assert/strict')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { config, mongodb, storage, express, serve, exported, play } = require('./host.cjs')

play(async () => {
  const app = express()
  // <snippet>

  const base = await serve(bulkExport, app)
  await exported(base, '$export')
  const metrics = await (await fetch(new URL('/metrics', base))).text()
  assert.match(metrics, /^bulk_export_jobs_total\{status="completed"\} 1$/m)
})
