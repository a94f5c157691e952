import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import { createLogger } from '../config/logger.js'
import type { Settings } from '../config/settings.js'
import { fillDatabase } from './bench/fill-database.js'
import { refusalTimes } from './bench/refusal-times.js'
import { startWorker } from './bench/worker-process.js'
import { bulkClient } from './client/bulk-client.js'
import { kickOffTimes, median } from './demo/kick-off-times.js'
import { openExampleHost } from './host/example-host.js'
import { runProgram } from './host/program.js'
import { openMongoDB } from './mongod/index.js'

const flags = new Command('bench')
  .description('Measure whole system exports by HTTP, one worker process, files on local disk.')
  .option('-r, --resources <list>', 'sizes to measure, comma-separated', sizes, [200_000, 400_000])
  .option('--json', 'print JSON instead of a table', false)
  .parse()
  .opts<{ resources: readonly number[]; json: boolean }>()

const MEASURED_KICK_OFFS = 21
const MEASURED_REFUSALS = 250

interface Figures {
  readonly resources: number
  /** From the kick-off to the manifest. */
  readonly seconds: number
  readonly resourcesPerSecond: number
  /** Largest resident set size of the worker process. */
  readonly workerRssBytes: number
  readonly kickOffMedianMs: number
  /** The slowest answer to a malformed kick-off. */
  readonly slowestRefusalMs: number
}

await runProgram(async (settings) => {
  const logger = createLogger({ ...settings, logLevel: 'warn' })
  const mongodb = await openMongoDB({ settings, logger })
  const folder = await mkdtemp(join(tmpdir(), 'bulk-export-bench-'))
  const figures: Figures[] = []
  try {
    for (const resources of flags.resources) {
      const benchSettings: Settings = {
        ...settings,
        mongodbDatabase: `bulk_export_bench_${resources}`,
        exportStorage: pathToFileURL(folder).href,
      }
      figures.push(await measure(resources, mongodb.uri, benchSettings))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
    await mongodb.stop()
  }
  process.stdout.write(`${flags.json ? JSON.stringify(report(figures, mongodb.version)) : table(figures)}\n`)
})

async function measure(resources: number, uri: string, settings: Settings): Promise<Figures> {
  const logger = createLogger({ ...settings, logLevel: 'warn' })
  await fillDatabase(uri, settings.mongodbDatabase, resources)
  const host = await openExampleHost({
    ...{ uri, settings: { ...settings, exportWorkers: 0 }, logger },
    exportOptions: { withoutWorkers: 'wait' },
  })
  try {
    const base = await host.listen(0, '127.0.0.1')
    const client = bulkClient(base)
    const slowestRefusalMs = (await refusalTimes(base, MEASURED_REFUSALS)).at(-1) ?? Number.NaN
    const kickOffMedianMs = median(await kickOffTimes(client, MEASURED_KICK_OFFS))
    const worker = await startWorker({
      ...{ MONGODB_URI: uri, MONGODB_DB: settings.mongodbDatabase },
      ...{ EXPORT_STORAGE: settings.exportStorage, EXPORT_WORKERS: String(settings.exportWorkers) },
    })
    const started = performance.now()
    const statusUrl = await client.kickOff('system')
    const { output } = await client.waitForExport(statusUrl)
    const seconds = (performance.now() - started) / 1000
    const workerRssBytes = await worker.stop()
    const exported = output.reduce((sum, { count }) => sum + count, 0)
    if (exported !== resources) throw new Error(`${exported} of ${resources} resources were exported.`)
    await client.remove(statusUrl)
    const resourcesPerSecond = resources / seconds
    return { resources, seconds, resourcesPerSecond, workerRssBytes, kickOffMedianMs, slowestRefusalMs }
  } finally {
    await host.db.dropDatabase()
    await host.close()
  }
}

function report(figures: readonly Figures[], mongodb: string) {
  return { machine: machine(), node: process.version, mongodb, figures }
}

function table(figures: readonly Figures[]): string {
  const rows = new Table({
    head: ['resources', 'seconds', 'resources/s', 'worker RSS', 'kick-off, median', 'refusal, slowest'],
    colAligns: Array(6).fill('right'),
    style: { head: [], border: [], compact: true },
  })
  for (const figure of figures) {
    const { resources, seconds, resourcesPerSecond, workerRssBytes } = figure
    rows.push([
      resources.toLocaleString('en-GB'),
      seconds.toFixed(1),
      Math.round(resourcesPerSecond).toLocaleString('en-GB'),
      `${Math.round(workerRssBytes / 2 ** 20)} MiB`,
      `${figure.kickOffMedianMs.toFixed(1)} ms`,
      `${figure.slowestRefusalMs.toFixed(1)} ms of ${MEASURED_REFUSALS}`,
    ])
  }
  return `${machine()}, Node ${process.version}\n${rows}`
}

function machine(): string {
  const [cpu] = cpus()
  return `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`
}

function sizes(text: string): readonly number[] {
  const numbers = text.split(',').map(Number)
  if (numbers.every((number) => Number.isSafeInteger(number) && number > 0)) return numbers
  throw new InvalidArgumentError('It must be a list of positive whole numbers.')
}
