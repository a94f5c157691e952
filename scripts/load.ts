import Table from 'cli-table3'
import { Command } from 'commander'
import { MongoClient } from 'mongodb'
import { type LoadResult, loadFolder } from './host/index.js'
import { runProgram } from './host/program.js'
import { openMongoDB } from './mongod/index.js'

const [directory = ''] = new Command('load')
  .description("Load the *.ndjson and *.ndjson.gz files of a folder into the example host's database.")
  .argument('<dir>', 'folder with FHIR resources, one a line, of whatever types')
  .addHelpText(
    'after',
    '\nThe database is MONGODB_DB on the server of MONGODB_URI, the version the first of FHIR_VERSIONS. Loading a folder twice is harmless.',
  )
  .parse().args

await runProgram(async (settings, logger) => {
  if (settings.mongodbUri === undefined) {
    throw new Error(
      'MONGODB_URI is not set. A server started for this program alone would end with it, and its data too.',
    )
  }
  const mongodb = await openMongoDB({ settings, logger })
  const client = await MongoClient.connect(mongodb.uri)
  try {
    const started = performance.now()
    const result = await loadFolder({
      db: client.db(settings.mongodbDatabase),
      directory,
      version: settings.fhirVersions[0],
      onProgress: everySecond(({ file, resources }) => logger.info('load.progress', { file, resources })),
    })
    const seconds = (performance.now() - started) / 1000
    process.stdout.write(
      `${report(result)}\nloaded into ${settings.mongodbDatabase} in ${seconds.toFixed(1)} s\n`,
    )
  } finally {
    await client.close()
    await mongodb.stop()
  }
})

/** Passes on what comes a second or more after the last that was. */
function everySecond<T>(use: (item: T) => void): (item: T) => void {
  let next = performance.now() + 1000
  return (item) => {
    if (performance.now() < next) return
    next = performance.now() + 1000
    use(item)
  }
}

function report({ resources }: LoadResult): string {
  const number = new Intl.NumberFormat('en-GB')
  const table = new Table({
    head: ['type', 'resources'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [], compact: true },
  })
  const types = [...resources].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [type, count] of types) table.push([type, number.format(count)])
  const total = types.reduce((sum, [, count]) => sum + count, 0)
  table.push([`${types.length} types`, number.format(total)])
  return table.toString()
}
