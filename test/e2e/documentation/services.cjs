// A host with the service of the snippets; whichever way they offer, the export is the same.
const assert = require('node:assert/strict')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { createLogger, transports } = require('winston')
const { Writable } = require('node:stream')
const { config, mongodb, storage, serve, exported, observationsOf, play } = require('./host.cjs')
const service = require('./services/observation.js')

play(async () => {
  config.profiles.Observation.service = service
  const calls = { search: 0, searchStream: 0, exportQuery: 0 }
  for (const name of Object.keys(calls)) {
    const own = service[name]
    if (own === undefined) continue
    service[name] = (...args) => {
      calls[name] += 1
      return own(...args)
    }
  }
  const events = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      events.push(JSON.parse(chunk))
      done()
    },
  })
  const logger = createLogger({ transports: [new transports.Stream({ stream })] })
  // Pages of seven, so that links are followed.
  const base = await serve(createBulkExport({ config, mongodb, storage, logger, pageSize: 7 }))

  const all = observationsOf(['a', 'b', 'c'])
  assert.deepEqual(await exported(base, '$export?_type=Observation'), all)
  assert.deepEqual(
    await exported(base, 'Group/diabetics/$export?_type=Observation'),
    observationsOf(['a', 'b']),
  )
  const since = (year) => exported(base, `$export?_type=Observation&_since=${year}-05-01T00:00:00Z`)
  assert.deepEqual(await since('2024'), all)
  assert.deepEqual(await since('2025'), [])

  const way = process.env.WAY
  const [planned] = events.filter(({ message }) => message === 'job.planned')
  assert.deepEqual(
    planned.readings.map((reading) => reading.way),
    [way],
  )
  const used = { search: 'search', stream: 'searchStream', scan: 'exportQuery' }[way]
  assert.ok(calls[used] > 0, JSON.stringify(calls))
})
