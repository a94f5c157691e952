import { collectionOf } from '../../host/collection.js'
import { type Figure, findings } from '../figure.js'
import { atMost, plain } from '../headline.js'
import { type Answer, kickOffBurst } from '../kick-off-burst.js'
import type { Lab } from '../lab.js'
import { quantile } from '../quantile.js'
import { resourcesIn, type Site } from '../site.js'
import { unit } from '../unit.js'

const KICK_OFFS = 1000
const RESOURCES = 1000
/** How many exports are looked after at the same time. */
const LANES = 50

interface Row {
  readonly limits: string
  readonly accepted: number
  readonly refused: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** From the first kick-off until all accepted exports were complete. */
  readonly seconds: number
}

export const kickOffsFigure: Figure = {
  name: 'kick-offs',
  means: `${unit.count(KICK_OFFS)} kick-offs at once, each on a connection of its own; all accepted exports complete`,
  async measure(lab) {
    const raised = { maxRunningExports: KICK_OFFS, maxRunningExportsPerClient: KICK_OFFS }
    const rows = [
      await measure(lab, 'default limits', {}),
      await measure(lab, `maxRunningExports ${unit.count(KICK_OFFS)}`, raised),
    ]
    return findings(
      [
        // Anything else than 202 and 429 has ended the measurement.
        atMost('answered neither 202 nor 429 with Retry-After', 0, 0, unit.count),
        ...rows.map(({ limits, p99 }) => plain(`p99, ${limits}`, p99, unit.ms)),
      ],
      rows,
      [
        ['server', (row) => row.limits],
        ['p50', (row) => unit.ms(row.p50)],
        ['p99', (row) => unit.ms(row.p99)],
        ['slowest', (row) => unit.ms(row.max)],
        ['202', (row) => unit.count(row.accepted)],
        ['429', (row) => unit.count(row.refused)],
        ['all complete after', (row) => unit.seconds(row.seconds)],
      ],
    )
  },
}

async function measure(lab: Lab, limits: string, exportOptions: object): Promise<Row> {
  const data = await lab.population(RESOURCES)
  const patients = await collectionOf(data.db, 'Patient').countDocuments()
  const site = await lab.site(data, { exportOptions })
  await site.addWorker(lab.exportWorkers)
  lab.say(`${KICK_OFFS} kick-offs at once, ${limits}`)
  const started = performance.now()
  const answers = await kickOffBurst(`${site.base}/$export?_type=Patient`, KICK_OFFS)
  const accepted = answers.flatMap(({ statusUrl }) => (statusUrl === undefined ? [] : [statusUrl]))
  await completeAll(site, accepted, patients)
  const seconds = (performance.now() - started) / 1000
  await site.close()
  const times = answers.map(({ ms }: Answer) => ms)
  return {
    ...{ limits, accepted: accepted.length, refused: answers.length - accepted.length, seconds },
    ...{ p50: quantile(times, 0.5), p99: quantile(times, 0.99), max: quantile(times, 1) },
  }
}

/** @throws Error when an export does not have what it should */
async function completeAll(site: Site, statusUrls: readonly string[], expected: number): Promise<void> {
  const waiting = [...statusUrls]
  const work = async () => {
    for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
      const resources = resourcesIn(await site.manifest(url))
      if (resources !== expected) throw new Error(`${resources} of ${expected} Patients were exported.`)
      await site.client.remove(url)
    }
  }
  await Promise.all(Array.from({ length: LANES }, work))
}
