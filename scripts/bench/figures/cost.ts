import { cpuTotal } from '../cpu-use.js'
import { type Figure, findings } from '../figure.js'
import { grownExport } from '../grown-export.js'
import { atMost, plain } from '../headline.js'
import { unit } from '../unit.js'

const SIZES = [100_000, 1_000_000] as const

export const costFigure: Figure = {
  name: 'cost',
  means: 'what one resource costs in a small and in a large system export, one worker process each',
  async measure(lab) {
    const small = await grownExport(lab, lab.scaled(SIZES[0]))
    const large = await grownExport(lab, lab.scaled(SIZES[1]))
    const rows = [small, large].map(({ what, resources, seconds, cpu }) => ({
      ...{ what, resources, seconds, cpu },
      timePerResource: (seconds / resources) * 1e6,
      cpuPerResource: (cpuTotal(cpu) / resources) * 1e6,
    }))
    const ratioOf = (cost: (row: (typeof rows)[number]) => number) => {
      const [first, second] = rows.map(cost) as [number, number]
      return second / first
    }
    const sizes = `${unit.count(large.resources)} : ${unit.count(small.resources)}`
    return findings(
      [
        atMost(
          `${sizes}, time for a resource`,
          ratioOf((row) => row.timePerResource),
          1.1,
        ),
        plain(
          `${sizes}, CPU time for a resource`,
          ratioOf((row) => row.cpuPerResource),
        ),
      ],
      rows,
      [
        ['export', (row) => row.what],
        ['time/resource', (row) => unit.microseconds(row.timePerResource)],
        ['CPU/resource', (row) => unit.microseconds(row.cpuPerResource)],
        ['seconds', (row) => unit.seconds(row.seconds)],
        ['CPU', (row) => unit.seconds(cpuTotal(row.cpu))],
      ],
    )
  },
}
