import { MongoClient } from 'mongodb'
import { scanRunner } from '../../plugin/threads/scan-runner.js'
import { allParts, linesIn } from './drained-parts.js'

// A process that scans in a thread, and closes only its own connection.
const [uri = '', collection = ''] = process.argv.slice(2)
const client = await MongoClient.connect(uri)
const runner = scanRunner({
  ...{ db: client.db(), uri, connection: {}, scan: { batchSize: 100, threads: 1 } },
  logger: { warn: console.error } as never,
})
const parts = await allParts(runner, {
  ...{ type: collection, collection, filter: {}, base: 'http://localhost/4_0_0', range: {} },
  ...{ window: { until: new Date() }, limits: { resources: 1000, bytes: 1e6 } },
})
console.log(linesIn(parts).length)
await client.close()
