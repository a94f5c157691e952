import { Command, InvalidArgumentError } from 'commander'
import { MongoClient } from 'mongodb'
import { nodeEnvironment } from '../config/node-environment.js'
import { storageEnvironment } from '../config/storage-environment.js'
import { type Diagnosis, runDoctor } from '../plugin/index.js'
import { EXIT_CODES, EXIT_CODES_TEXT, exitCodeOf } from './doctor/exit-code.js'
import { indexCommands, reportDiagnosis } from './doctor/report.js'
import { createExampleExport } from './host/example-export.js'
import { runProgram } from './host/program.js'
import { openStorage } from './host/storage.js'

/** The width of a report that goes to no terminal, in characters. */
const WIDTH = 140
/** The services find out in this time that the database cannot be reached, in ms. */
const DATABASE_TIMEOUT = 5000

const flags = new Command('doctor')
  .description(
    'Look at the example host, its database and its storage, and tell what exports would suffer from.',
  )
  .option('-t, --types <names>', 'resource types to look at, comma-separated; default: all', names)
  .option('-s, --sample <n>', 'how many resources of each type are looked at', wholeNumber, 20)
  .option('--timeout <seconds>', 'how long the look at the types may take in all', wholeNumber, 300)
  .option('--user <json>', 'the user on whose behalf the services are called', json)
  .option('--strict', 'warnings count for the exit code', false)
  .option('--json', 'print JSON instead of a table', false)
  .option('--print-indexes', 'print only the mongosh commands that make the missing indexes', false)
  .addHelpText('after', `\n${EXIT_CODES_TEXT}`)
  .addHelpText(
    'after',
    '\nIt looks at MONGODB_DB on the server of MONGODB_URI, which may be in use: it only reads, and writes one small' +
      '\nfile to EXPORT_STORAGE, which it removes.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_CODES.notLooked))
  .parse()
  .opts<{
    types?: readonly string[]
    sample: number
    timeout: number
    user?: unknown
    strict: boolean
    json: boolean
    printIndexes: boolean
  }>()

await runProgram(async (settings, logger) => {
  const { mongodbUri: uri, mongodbDatabase } = settings
  if (uri === undefined) throw new Error('Set MONGODB_URI to the server of the host that is to be looked at.')
  const storage = await openStorage(settings.exportStorage, storageEnvironment())
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: DATABASE_TIMEOUT })
  try {
    const db = client.db(mongodbDatabase)
    // It is not started, which would make indexes and work on exports.
    const bulkExport = createExampleExport({ uri, db, storage, settings, logger })
    const { types, sample, timeout, user } = flags
    const diagnosis = await runDoctor(bulkExport, {
      ...(types === undefined ? {} : { types }),
      ...(user === undefined ? {} : { caller: { user } }),
      ...{ sample, timeout: timeout * 1000, nodeEnv: nodeEnvironment() },
    })
    process.stdout.write(`${textOf(diagnosis, mongodbDatabase)}\n`)
    return exitCodeOf(diagnosis, flags.strict)
  } finally {
    await client.close()
  }
}, EXIT_CODES.notLooked)

function textOf(diagnosis: Diagnosis, database: string): string {
  if (flags.printIndexes) return indexCommands(diagnosis, database)
  if (flags.json) return JSON.stringify(diagnosis, undefined, 2)
  return reportDiagnosis(diagnosis, process.stdout.columns ?? WIDTH)
}

function names(value: string): readonly string[] {
  return value.split(',').map((name) => name.trim())
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value)) throw new InvalidArgumentError('It must be a whole number above 0.')
  return Number(value)
}

function json(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    throw new InvalidArgumentError('It must be JSON.')
  }
}
