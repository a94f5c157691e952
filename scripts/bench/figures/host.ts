import type { LoopDelay } from '../api-process.js'
import { type Figure, findings } from '../figure.js'
import { atMost } from '../headline.js'
import type { DataSet, Lab } from '../lab.js'
import { LargeExport } from '../large-export.js'
import { quantile } from '../quantile.js'
import type { Site } from '../site.js'
import { unit } from '../unit.js'

/** So many that it takes a while. */
const RESOURCES = 1_000_000
const KICK_OFFS = 100
const MOST_MS = 50

const SITES = {
  'in another process': { isWithin: false, threads: 0 },
  'in the host': { isWithin: true, threads: 0 },
  'in the host, with a thread for scans': { isWithin: true, threads: 1 },
} as const

interface Row {
  /** Where the export runs that the host is disturbed by. */
  readonly workers: keyof typeof SITES
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly kickOffs: number
  /** Of the event loop of the host. */
  readonly loopDelay: LoopDelay
}

export const hostFigure: Figure = {
  name: 'host',
  means:
    'kick-offs one after the other, and how late the event loop of the host is, while a large export runs',
  async measure(lab) {
    const data = await lab.population(lab.scaled(RESOURCES))
    const apart = await measure(lab, data, 'in another process')
    const within = await measure(lab, data, 'in the host')
    const threaded = await measure(lab, data, 'in the host, with a thread for scans')
    return findings(
      [
        atMost('kick-off p99, worker in another process', apart.p99, MOST_MS, unit.ms),
        atMost('event-loop delay p99, worker in the host', within.loopDelay.p99, MOST_MS, unit.ms),
      ],
      [apart, within, threaded],
      [
        ['worker', (row) => row.workers],
        ['kick-off p50', (row) => unit.ms(row.p50)],
        ['p99', (row) => unit.ms(row.p99)],
        ['slowest', (row) => unit.ms(row.max)],
        ['kick-offs', (row) => unit.count(row.kickOffs)],
        ['loop delay p99', (row) => unit.ms(row.loopDelay.p99)],
        ['longest', (row) => unit.ms(row.loopDelay.max)],
      ],
    )
  },
}

async function measure(lab: Lab, data: DataSet, workers: Row['workers']): Promise<Row> {
  const { isWithin, threads } = SITES[workers]
  const apiWorkers = isWithin ? lab.exportWorkers : 0
  const site = await lab.site(data, { apiWorkers, exportOptions: { scan: { threads } } })
  if (!isWithin) await site.addWorker(lab.exportWorkers)
  lab.say(`kick-offs while an export runs ${workers}`)
  const times: number[] = []
  while (times.length < KICK_OFFS) {
    const large = await LargeExport.begin(site, data.resources)
    const { length } = times
    while (times.length < KICK_OFFS && (await large.isRunning())) times.push(await kickOffTime(site))
    if (times.length === length) throw new Error('The large export was over before the first kick-off.')
    await large.end()
  }
  const { loopDelay } = await site.close()
  return {
    ...{ workers, kickOffs: times.length, loopDelay },
    ...{ p50: quantile(times, 0.5), p99: quantile(times, 0.99), max: quantile(times, 1) },
  }
}

/** The export is deleted at once, so that the large one goes on alone. */
async function kickOffTime({ client }: Site): Promise<number> {
  const started = performance.now()
  const statusUrl = await client.kickOff('system')
  const ms = performance.now() - started
  await client.remove(statusUrl)
  return ms
}
