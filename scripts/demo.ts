import { rm } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { Command } from 'commander'
import { createLogger } from '../config/logger.js'
import { type BulkClient, bulkClient, type Level } from './client/bulk-client.js'
import { downloadExport } from './client/download-export.js'
import { wholeManifest } from './client/manifest.js'
import { kickOffTimes, median } from './demo/kick-off-times.js'
import { showProgress } from './demo/progress.js'
import { type Downloaded, reportExports } from './demo/report.js'
import { sampleFolder } from './demo/sample.js'
import { openExampleHost } from './host/example-host.js'
import { loadFolder } from './host/index.js'
import { runProgram } from './host/program.js'
import { shutdownRequested } from './host/shutdown.js'
import { openMongoDB } from './mongod/index.js'

interface Flags {
  readonly data?: string
  readonly out: string
  readonly serve: boolean
}

const flags = new Command('demo')
  .description('Show the main job end to end: load, serve, export at all three levels, download, check.')
  .option('-d, --data <dir>', 'load the *.ndjson and *.ndjson.gz files of a folder instead of the sample')
  .option('-o, --out <dir>', 'where the downloads go; what is there is removed first', 'demo-output')
  .option('--serve', 'leave the server running afterwards, until Ctrl-C', false)
  .parse()
  .opts<Flags>()

const GROUP = 'demo-group'
const GROUP_SIZE = 5
const MEASURED_KICK_OFFS = 21

await runProgram(async (settings) => {
  const logger = createLogger({
    ...settings,
    logLevel: settings.logLevel === 'info' ? 'warn' : settings.logLevel,
  })
  const mongodb = await openMongoDB({ settings, logger })
  say(`MongoDB ${mongodb.version} from ${mongodb.source}`)
  const database =
    settings.mongodbUri === undefined ? settings.mongodbDatabase : `${settings.mongodbDatabase}-demo`
  const demoSettings = { ...settings, mongodbDatabase: database }
  const host = await openExampleHost({ uri: mongodb.uri, settings: demoSettings, logger })
  try {
    const directory = flags.data ?? (await sampleFolder(settings, say))
    const { resources } = await loadFolder({ db: host.db, directory })
    const loaded = [...resources.values()].reduce((sum, count) => sum + count, 0)
    say(`${loaded} resources of ${resources.size} types loaded from ${relative('.', directory) || '.'}`)
    const base = await host.listen(flags.serve ? settings.port : 0, settings.host)
    say(`FHIR server at ${base}`)
    await exportAll(bulkClient(base), base)
    if (!flags.serve) return
    say(`\nStill serving ${base}; Ctrl-C ends it. Try: curl -i '${base}/$export'`)
    await shutdownRequested(logger)
  } finally {
    await host.close()
    await mongodb.stop()
  }
})

async function exportAll(client: BulkClient, base: string): Promise<void> {
  await rm(flags.out, { recursive: true, force: true })
  // The group is made after the first kick-off: it is newer than that export's transaction time.
  const system = start(client, 'system', 'system')
  await system.accepted
  const members = await makeGroup(base)
  const running = [system, start(client, 'patient', 'patient'), start(client, 'group', { group: GROUP })]
  say(`Exporting: everything, all patients, and a group of ${members}`)
  const progress = showProgress(running.map(({ name }) => name))
  const downloads = await Promise.all(running.map((each) => each.download(progress)))
  progress.stop()
  say(reportExports(downloads))
  const times = await kickOffTimes(client, MEASURED_KICK_OFFS)
  const [least, most] = [times[0] ?? 0, times.at(-1) ?? 0]
  say(
    `\nkick-off answered in ${median(times).toFixed(1)} ms at the median of ${times.length} ` +
      `(${least.toFixed(1)} to ${most.toFixed(1)} ms)`,
  )
  say(`Every line parsed, every count as in the manifest, no resource twice. Files: ${resolve(flags.out)}`)
}

function start(client: BulkClient, name: string, level: Level) {
  const started = performance.now()
  const accepted = client.kickOff(level)
  return {
    name,
    accepted,
    async download(progress: ReturnType<typeof showProgress>): Promise<Downloaded> {
      const statusUrl = await accepted
      const onProgress = (text: string) => progress.update(name, text)
      const load = (url: string) => client.waitForExport(url, { onProgress })
      const manifest = await wholeManifest(await load(statusUrl), load)
      const ms = performance.now() - started
      progress.done(name)
      const directory = join(flags.out, name)
      const { types: summaries } = await downloadExport(manifest, { send: fetch, directory, unique: true })
      await client.remove(statusUrl)
      return { name, summaries, directory, ms }
    },
  }
}

/** Makes a Group of the first patients, as any client of the server would. */
async function makeGroup(base: string): Promise<number> {
  const answer = await fetch(`${base}/Patient?_count=${GROUP_SIZE}`)
  const { entry = [] } = (await answer.json()) as { entry?: readonly { resource: { id: string } }[] }
  const member = entry.map(({ resource }) => ({ entity: { reference: `Patient/${resource.id}` } }))
  const group = { resourceType: 'Group', id: GROUP, type: 'person', actual: true, name: 'Demo', member }
  const made = await fetch(`${base}/Group/${GROUP}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/fhir+json' },
    body: JSON.stringify(group),
  })
  if (!made.ok) throw new Error(`The group could not be made: HTTP ${made.status}.`)
  return member.length
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
