import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { type Db, MongoClient } from 'mongodb'
import { createLogger } from '../config/logger.js'
import type { Settings } from '../config/settings.js'
import { fillDatabase } from './bench/fill-database.js'
import { Blows } from './chaos/blows.js'
import { Expectation } from './chaos/expectation.js'
import { Exports } from './chaos/exports.js'
import { Findings } from './chaos/findings.js'
import { Fleet } from './chaos/fleet.js'
import { leftovers, waitUntilNothingIsLeft } from './chaos/leftovers.js'
import { planBlows } from './chaos/plan.js'
import { StubbornClient } from './chaos/stubborn-client.js'
import { VERSION } from './host/index.js'
import { runProgram } from './host/program.js'
import { beforeExit } from './mongod/exit-guard.js'
import { openMongoDB } from './mongod/index.js'
import { Dice } from './population/dice.js'

const flags = new Command('chaos')
  .description(
    'Prove that exports survive: kill processes at random while they run, then look what came of them.',
  )
  .option('-k, --kills <n>', 'processes to kill', wholeNumber, 100)
  .option('-r, --resources <n>', 'size of the generated population', wholeNumber, 200_000)
  .option('-w, --workers <n>', 'worker processes', wholeNumber, 3)
  .option(
    '-s, --seed <text>',
    'the same seed deals the same blows and asks for the same exports',
    randomSeed(),
  )
  .option('--keep', 'keep the logs and the records also when all is right', false)
  .parse()
  .opts<{ kills: number; resources: number; workers: number; seed: string; keep: boolean }>()

/** Exports that are under way at the same time. */
const AT_ONCE = 3
/** With so many findings there is nothing more to be learnt. */
const ENOUGH_FINDINGS = 10
/** Longer than it takes until a process looks at the record for what others have left, in ms. */
const CLEAN_UP_LIMIT = 150_000

const started = performance.now()
const findings = new Findings(say)

await runProgram(async (given) => {
  const logger = createLogger({ ...given, logLevel: 'warn' })
  const mongodb = await openMongoDB({ settings: given, logger })
  const folder = await mkdtemp(join(tmpdir(), 'bulk-export-chaos-'))
  const release = beforeExit(() => rmSync(folder, { recursive: true, force: true }))
  const settings = { ...given, mongodbDatabase: `bulk_export_chaos_${process.pid}` }
  const client = await MongoClient.connect(mongodb.uri)
  try {
    say(`Seed ${flags.seed}; MongoDB ${mongodb.version} from ${mongodb.source}`)
    await run(mongodb.uri, settings, folder, client)
    if (isKept()) await keepRecords(client.db(settings.mongodbDatabase), join(folder, 'records'))
    else await client.db(settings.mongodbDatabase).dropDatabase()
  } finally {
    if (!isKept()) await rm(folder, { recursive: true, force: true })
    release()
    await client.close()
    await mongodb.stop()
  }
  const database = given.mongodbUri === undefined ? '' : `, database ${settings.mongodbDatabase}`
  if (isKept()) say(`\n${findings.report()}\nKept: ${folder}${database}`)
  if (findings.all.length === 0) return
  throw new Error(`${findings.all.length} findings. Repeat with ${repetition()}`)
})

async function run(uri: string, settings: Settings, folder: string, client: MongoClient): Promise<void> {
  const db = client.db(settings.mongodbDatabase)
  const [storage, logs] = [join(folder, 'exports'), join(folder, 'logs')]
  await Promise.all([mkdir(storage), mkdir(logs)])
  await fillDatabase(uri, settings.mongodbDatabase, flags.resources)
  const expectation = new Expectation(flags.resources)
  say(`${expectation.size} resources stored, with the groups ${expectation.groups.join(', ')}`)
  const port = await freePort()
  const environment = {
    ...{ MONGODB_URI: uri, MONGODB_DB: settings.mongodbDatabase, HOST: '127.0.0.1', BASE_URL: '' },
    ...{ EXPORT_STORAGE: pathToFileURL(storage).href, EXPORT_WORKERS: '2' },
  }
  const fleet = new Fleet({ workers: flags.workers, environment, port, logs, findings })
  const bulkClient = new StubbornClient(`http://127.0.0.1:${port}/${VERSION}`)
  const exports = new Exports({
    ...{ client: bulkClient, expectation, db, storage, findings, say },
    dice: new Dice(`${flags.seed}/exports`),
  })
  const blows = new Blows(fleet, settings.mongodbUri === undefined ? client : undefined, say)
  const left = { db, storage, kept: exports.kept }
  try {
    await fleet.start()
    say(`${flags.workers} workers and an API process are ready`)
    await disturb(exports, blows)
    say('No more blows; waiting for what is still under way')
    await exports.adopt()
    for (const rest of await waitUntilNothingIsLeft(left, CLEAN_UP_LIMIT)) findings.add(`Left over: ${rest}.`)
  } catch (error) {
    findings.add(`The run broke off: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await fleet.stop()
  }
  if (findings.all.length === 0) {
    for (const rest of await leftovers(left)) findings.add(`Left over after the end: ${rest}.`)
  }
  report(exports, blows, fleet, bulkClient)
}

function isKept(): boolean {
  return flags.keep || findings.all.length > 0
}

/** Deals all blows while exports run, and waits for the exports. */
async function disturb(exports: Exports, blows: Blows): Promise<void> {
  let isOver = false
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    while (!isOver) await exports.run()
  })
  const dealing = async () => {
    try {
      for (const blow of planBlows(new Dice(`${flags.seed}/blows`), flags.kills)) {
        if (findings.all.length >= ENOUGH_FINDINGS) return
        await blows.deal(blow)
      }
    } finally {
      isOver = true
    }
  }
  await Promise.all([dealing(), ...lanes])
}

function report(exports: Exports, { counts }: Blows, fleet: Fleet, { repeated }: StubbornClient): void {
  const { kickedOff, completed, cancelled, unanswered, files, resources } = exports.figures
  const blows = [...counts].sort().map(([kind, count]) => `  ${kind}: ${count}`)
  const tellTale = ['task.retried', 'task.lost', 'job.planning-retried', 'job.removal-failed']
  const logged = tellTale.map((message) => `${message} ${fleet.messages.get(message) ?? 0}`)
  const lines = [
    `\nSeed ${flags.seed}, ${flags.kills} kills, ${Math.round((performance.now() - started) / 1000)} s`,
    ...blows,
    `exports: ${kickedOff} kicked off, ${completed} complete and right, ${cancelled} deleted on the way, ` +
      `${unanswered} accepted without an answer`,
    `resources: ${resources.toLocaleString('en-GB')} verified in ${files.toLocaleString('en-GB')} files`,
    `requests repeated: ${repeated}; starts that failed: ${fleet.failedStarts}; logged: ${logged.join(', ')}`,
    `findings: ${findings.all.length}`,
  ]
  say(lines.join('\n'))
}

/** The records of all exports as NDJSON, since the database may end with this process. */
async function keepRecords(db: Db, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of ['jobs', 'tasks', 'cohorts', 'bells']) {
    const documents = await db.collection(`bulkexport.${name}`).find().toArray()
    const lines = documents.map((document) => `${JSON.stringify(document)}\n`)
    await writeFile(join(folder, `${name}.ndjson`), lines.join(''))
  }
}

/** The API process has to come back where it was. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.listen(0, '127.0.0.1', resolve).once('error', reject))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function repetition(): string {
  const { kills, resources, workers, seed } = flags
  return `npm run chaos -- --kills ${kills} --resources ${resources} --workers ${workers} --seed ${seed}`
}

function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6)
  process.stdout.write(text.startsWith('\n') ? `${text}\n` : `${seconds} ${text}\n`)
}

function randomSeed(): string {
  return String(Math.floor(Math.random() * 1_000_000))
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It must be a positive whole number.')
}
