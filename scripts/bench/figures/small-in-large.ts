import { withGroup } from '../added-group.js'
import { type Figure, findings } from '../figure.js'
import { atMost, plain } from '../headline.js'
import type { DataSet, Lab } from '../lab.js'
import { LargeExport } from '../large-export.js'
import { type Spread, spreadOf } from '../quantile.js'
import type { Site } from '../site.js'
import { unit } from '../unit.js'

const RESOURCES = 500_000
const SAMPLES = 7
/** A large export may be over before the small one: those do not count, and are not tried for ever. */
const MOST_TRIES = 40
const MOST_SECONDS = 3
const GROUP = 'bench-one'

interface Row extends Spread {
  /** Tasks that the worker process runs at the same time. */
  readonly tasks: number
  readonly samples: number
  /** The median without another export. */
  readonly alone: number
  /** How often the large export was over too early, and another one was kicked off. */
  readonly large: number
}

export const smallInLargeFigure: Figure = {
  name: 'small-in-large',
  means:
    'a group of one patient, from the kick-off to the manifest, while a large system export runs ' +
    'on the same single worker process',
  async measure(lab) {
    const data = await lab.population(lab.scaled(RESOURCES))
    const rows = await withGroup(data.db, GROUP, ['p1'], async () => [
      await measure(lab, data, 2),
      await measure(lab, data, 1),
    ])
    return findings(
      [
        ...rows.map(({ tasks, max }) =>
          atMost(`slowest, EXPORT_WORKERS=${tasks}`, max, MOST_SECONDS, unit.seconds),
        ),
        ...rows.map(({ tasks, median, alone }) =>
          plain(`in the large one : alone, medians, EXPORT_WORKERS=${tasks}`, median / alone),
        ),
      ],
      rows,
      [
        ['EXPORT_WORKERS', (row) => String(row.tasks)],
        ['fastest', (row) => unit.seconds(row.min)],
        ['median', (row) => unit.seconds(row.median)],
        ['slowest', (row) => unit.seconds(row.max)],
        ['samples', (row) => String(row.samples)],
        ['alone, median', (row) => unit.seconds(row.alone)],
        [`large exports of ${unit.count(data.resources)}`, (row) => String(row.large)],
      ],
    )
  },
}

async function measure(lab: Lab, data: DataSet, tasks: number): Promise<Row> {
  const site = await lab.site(data)
  await site.addWorker(tasks)
  lab.say(`small exports in a large one, EXPORT_WORKERS=${tasks}`)
  const alone: number[] = []
  // The first one has the services made ready, and does not count.
  for (let sample = 0; sample <= 3; sample++) alone.push(await smallExport(site))
  const times: number[] = []
  let large = await LargeExport.begin(site, data.resources + 1)
  let begun = 1
  for (let tries = 0; times.length < SAMPLES; tries++) {
    if (tries === MOST_TRIES) throw new Error('The large exports were over before the small ones.')
    if (!(await large.isRunning())) {
      await large.end()
      large = await LargeExport.begin(site, data.resources + 1)
      begun += 1
    }
    const seconds = await smallExport(site)
    if (await large.isRunning()) times.push(seconds)
  }
  await large.end()
  await site.close()
  const median = spreadOf(alone.slice(1)).median
  return { tasks, ...spreadOf(times), samples: times.length, alone: median, large: begun }
}

async function smallExport(site: Site): Promise<number> {
  const { seconds, resources, statusUrl } = await site.export({ group: GROUP })
  if (resources === 0) throw new Error('The export of one patient was empty.')
  await site.client.remove(statusUrl)
  return seconds
}
