import { type Figure, findings } from '../figure.js'
import { type GrownExport, grownExport, grownGroupExport } from '../grown-export.js'
import { atMost } from '../headline.js'
import { unit } from '../unit.js'

const SIZES = [100_000, 400_000, 1_000_000] as const
const MEMBERS = 100_000
const MOST_BYTES = 200 * 2 ** 20

export const memoryFigure: Figure = {
  name: 'memory',
  means: 'resident memory of a fresh worker process, at its largest, as the data grow',
  async measure(lab) {
    const rows: GrownExport[] = []
    for (const size of SIZES) rows.push(await grownExport(lab, lab.scaled(size)))
    const [smallest, , largest] = rows as [GrownExport, GrownExport, GrownExport]
    const group = await grownGroupExport(lab, lab.scaled(MEMBERS))
    rows.push(group)
    const base = `${unit.count(smallest.resources)} resources, largest RSS`
    const most = Math.max(...rows.map(({ peakRss }) => peakRss))
    return findings(
      [
        atMost(`${unit.count(largest.resources)} : ${base}`, largest.peakRss / smallest.peakRss, 1.1),
        atMost(`${group.what} : ${base}`, group.peakRss / smallest.peakRss, 1.1),
        atMost('largest RSS of all', most, MOST_BYTES, unit.mebibytes),
      ],
      rows,
      [
        ['export', (row) => row.what],
        ['largest RSS', (row) => unit.mebibytes(row.peakRss)],
        ['median RSS', (row) => unit.mebibytes(row.medianRss)],
        ['at its start', (row) => unit.mebibytes(row.startRss)],
        ['seconds', (row) => unit.seconds(row.seconds)],
        ['resources/s', (row) => unit.count(row.resources / row.seconds)],
      ],
    )
  },
}
