// Storages that are made and not used, since they are somebody else's: what they do has tests of its own.
const assert = require('node:assert/strict')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { config, mongodb, play } = require('./host.cjs')

play(async () => {
  const made = []
  // <snippet>

  if (typeof bulkExport !== 'undefined') made.push(storage)
  if (typeof folders !== 'undefined') made.push(folders, buckets, azure)
  assert.ok(made.length > 0)
  for (const storage of made) createBulkExport({ config, mongodb, storage })
})
