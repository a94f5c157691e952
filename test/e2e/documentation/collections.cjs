const assert = require('node:assert/strict')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { config, mongodb, storage, db, serve, exported, play } = require('./host.cjs')

play(async () => {
  // In a collection of that name only, which no service knows.
  await db.collection('Observation').drop()
  await db.collection('Observation_4_0_0').insertOne({ resourceType: 'Observation', id: 'o' })
  // <snippet>

  const base = await serve(bulkExport)
  assert.deepEqual(await exported(base, '$export?_type=Observation'), ['Observation/o'])
})
