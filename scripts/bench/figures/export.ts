import { kickOffTimes, median } from '../../demo/kick-off-times.js'
import { type Figure, findings } from '../figure.js'
import { plain } from '../headline.js'
import type { Lab } from '../lab.js'
import { refusalTimes } from '../refusal-times.js'
import { unit } from '../unit.js'
import { wholeExport } from '../whole-export.js'

const MEASURED_KICK_OFFS = 21
const MEASURED_REFUSALS = 250

interface Row {
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

export const exportFigure: Figure = {
  name: 'export',
  means: 'whole system exports by HTTP with one worker process; kick-offs and refusals on an idle server',
  async measure(lab) {
    const rows: Row[] = []
    for (const size of lab.sizes) rows.push(await measure(lab, size))
    const rates = rows.map((row) => row.resourcesPerSecond)
    return findings([plain('resources a second, worst size', Math.min(...rates), unit.count)], rows, [
      ['resources/s', (row) => unit.count(row.resourcesPerSecond)],
      ['resources', (row) => unit.count(row.resources)],
      ['seconds', (row) => unit.seconds(row.seconds)],
      ['worker RSS', (row) => unit.mebibytes(row.workerRssBytes)],
      ['kick-off, median', (row) => unit.ms(row.kickOffMedianMs)],
      [`slowest of ${MEASURED_REFUSALS} refusals`, (row) => unit.ms(row.slowestRefusalMs)],
    ])
  },
}

async function measure(lab: Lab, resources: number): Promise<Row> {
  const site = await lab.site(await lab.population(resources))
  lab.say(`exporting ${unit.count(resources)} resources`)
  const slowestRefusalMs = (await refusalTimes(site.base, MEASURED_REFUSALS)).at(-1) ?? Number.NaN
  const kickOffMedianMs = median(await kickOffTimes(site.client, MEASURED_KICK_OFFS))
  await site.addWorker(lab.exportWorkers)
  const { seconds } = await wholeExport(site, { expected: resources })
  const { workerRss } = await site.close()
  return {
    ...{ resources, seconds, resourcesPerSecond: resources / seconds },
    ...{ workerRssBytes: workerRss[0] ?? Number.NaN, kickOffMedianMs, slowestRefusalMs },
  }
}
