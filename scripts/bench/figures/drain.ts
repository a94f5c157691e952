import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { drain, flushStringified, stringifiedLines, stringify } from '../contenders.js'
import { exportedLines, requireEqual } from '../exported-lines.js'
import { type Figure, findings } from '../figure.js'
import { atLeast, plain } from '../headline.js'
import { spreadOf } from '../quantile.js'
import { unit } from '../unit.js'
import { wholeExport } from '../whole-export.js'

const RESOURCES = 400_000

const CONTENDERS = ['export', 'drain', 'stringify'] as const
type Contender = (typeof CONTENDERS)[number]

export const drainFigure: Figure = {
  name: 'drain',
  means:
    'the export against reading the same collections raw (drain), and against reading objects, ' +
    'JSON.stringify and writing files, both in one Node process; interleaved; the lines are equal',
  async measure(lab) {
    const resources = lab.scaled(RESOURCES)
    const { db } = await lab.population(resources)
    const site = await lab.site({ db, resources })
    await site.addWorker(lab.exportWorkers)
    const folder = join(lab.folder, 'stringified')
    const times: Record<Contender, number[]> = { export: [], drain: [], stringify: [] }
    let isCompared = false
    for (let round = 1; round <= lab.rounds; round++) {
      lab.say(`round ${round} of ${lab.rounds}: drain, stringify, export`)
      times.drain.push(await secondsOf(resources, () => drain(db)))
      times.stringify.push(await secondsOf(resources, () => stringify(db, folder)))
      await flushStringified(db, folder)
      const { seconds } = await wholeExport(site, { expected: resources }, async (finished) => {
        if (isCompared) return
        requireEqual(
          ['JSON.stringify', await stringifiedLines(db, folder)],
          ['the export', await exportedLines(site, finished)],
        )
        isCompared = true
      })
      times.export.push(seconds)
      lab.signal.throwIfAborted()
    }
    await rm(folder, { recursive: true })
    await site.close()
    const rows = CONTENDERS.map((contender) => {
      const { min, median, max } = spreadOf(times[contender])
      return { contender, resources, min, median, max, resourcesPerSecond: resources / median }
    })
    const ratio = (other: Contender, of: 'min' | 'median') =>
      spreadOf(times[other])[of] / spreadOf(times.export)[of]
    return findings(
      [
        atLeast('export : drain, in resources a second, medians', ratio('drain', 'median'), 0.6),
        plain('export : drain, best of each', ratio('drain', 'min')),
        atLeast('export : stringify, medians', ratio('stringify', 'median'), 4),
        plain('export : stringify, best of each', ratio('stringify', 'min')),
      ],
      rows,
      [
        ['', (row) => row.contender],
        ['resources/s, median', (row) => unit.count(row.resourcesPerSecond)],
        ['resources', (row) => unit.count(row.resources)],
        [`fastest of ${lab.rounds}`, (row) => unit.seconds(row.min)],
        ['median', (row) => unit.seconds(row.median)],
        ['slowest', (row) => unit.seconds(row.max)],
      ],
    )
  },
}

async function secondsOf(expected: number, work: () => Promise<number>): Promise<number> {
  const started = performance.now()
  const count = await work()
  if (count !== expected) throw new Error(`${count} of ${expected} resources were read.`)
  return (performance.now() - started) / 1000
}
