const assert = require('node:assert/strict')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { config, mongodb, storage, play } = require('./host.cjs')

play(async () => {
  const bulkExport = createBulkExport({ config, mongodb, storage })
  let shown
  console.table = (rows) => {
    shown = rows
  }
  // <snippet>

  while (shown === undefined) await new Promise((resolve) => setTimeout(resolve, 50))
  // The little host knows neither pages nor `_lastUpdated`.
  assert.ok(
    shown.some(({ check }) => check === 'last-updated'),
    JSON.stringify(shown),
  )
  assert.ok(shown.every(({ level, cost, remedy }) => level !== 'ok' && cost && remedy))
})
