import { EXPORT_READS, type ExportRead } from '../../../config/settings.js'
import { type CpuUse, cpuBetween, cpuShares, cpuTotal } from '../cpu-use.js'
import { exportedLines, type LinesByType, requireEqual } from '../exported-lines.js'
import { type Figure, findings } from '../figure.js'
import { plain } from '../headline.js'
import { quantile } from '../quantile.js'
import type { Site } from '../site.js'
import { unit } from '../unit.js'
import { wholeExport } from '../whole-export.js'

const RESOURCES = 100_000

interface Run {
  readonly seconds: number
  readonly cpu: CpuUse
}

export const tiersFigure: Figure = {
  name: 'tiers',
  means:
    'system exports of the example host that read its collections (scan), streams of its services (stream) and ' +
    'their pages (search), one worker process each; interleaved; the lines are equal',
  async measure(lab) {
    const data = await lab.population(lab.scaled(RESOURCES))
    const runs = new Map<ExportRead, Run[]>()
    let lines: [string, LinesByType] | undefined
    for (let round = 1; round <= lab.rounds; round++) {
      lab.say(`round ${round} of ${lab.rounds}: ${EXPORT_READS.join(', ')}`)
      for (const read of EXPORT_READS) {
        // One after the other, since all processes on a database share its exports.
        const site = await lab.site(data, { read })
        await site.addWorker(lab.exportWorkers)
        await warmUp(site)
        const before = await site.cpu()
        const { seconds } = await wholeExport(site, { expected: data.resources }, async (finished) => {
          if (round > 1) return
          const found: [string, LinesByType] = [read, await exportedLines(site, finished)]
          if (lines !== undefined) requireEqual(lines, found)
          lines = found
        })
        const cpu = cpuBetween(before, await site.cpu())
        runs.set(read, [...(runs.get(read) ?? []), { seconds, cpu }])
        await site.close()
      }
    }
    const rows = [...runs].map(([read, all]) => {
      const seconds = quantile(
        all.map((run) => run.seconds),
        0.5,
      )
      const middle = all.find((run) => run.seconds === seconds) as Run
      return { read, ...middle, perSecond: data.resources / seconds }
    })
    const rate = (read: ExportRead) => rows.find((row) => row.read === read)?.perSecond ?? Number.NaN
    return findings(
      [
        plain('scan : search, in resources a second, medians', rate('scan') / rate('search')),
        plain('stream : search, in resources a second, medians', rate('stream') / rate('search')),
      ],
      rows,
      [
        ['read by', (row) => row.read],
        ['resources/s, median', (row) => unit.count(row.perSecond)],
        ['seconds', (row) => unit.seconds(row.seconds)],
        ['CPU', (row) => unit.seconds(cpuTotal(row.cpu))],
        ['of that, worker', (row) => unit.percent(cpuShares(row.cpu).workers)],
      ],
    )
  },
}

/** The first export of a process runs code that was never run before. */
async function warmUp(site: Site): Promise<void> {
  const { statusUrl } = await site.export('system', { _type: 'Patient,Encounter' })
  await site.client.remove(statusUrl)
}
