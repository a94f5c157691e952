import { collectionOf } from '../../host/collection.js'
import { withGroup } from '../added-group.js'
import { countCompartments } from '../compartment-count.js'
import { type Figure, findings } from '../figure.js'
import { atLeast, plain } from '../headline.js'
import { spreadOf } from '../quantile.js'
import { unit } from '../unit.js'
import { type ExportPlan, wholeExport } from '../whole-export.js'

/** About 10,000 patients. */
const RESOURCES = 400_000
const GROUP = 'bench-all'

export const largeGroupFigure: Figure = {
  name: 'large-group',
  means:
    'a group of all patients, and the export of all patients, against the system export of the same data; interleaved',
  async measure(lab) {
    const resources = lab.scaled(RESOURCES)
    const { db } = await lab.population(resources)
    const patients = await collectionOf(db, 'Patient').distinct('_id')
    const site = await lab.site({ db, resources })
    await site.addWorker(lab.exportWorkers)
    return withGroup(db, GROUP, patients, async () => {
      const expected = await countCompartments(db)
      const runs: readonly (ExportPlan & { readonly name: string; readonly times: number[] })[] = [
        { name: 'system', times: [], expected: resources + 1 },
        { name: 'group', times: [], level: { group: GROUP }, expected },
        { name: 'patient', times: [], level: 'patient', expected },
      ]
      for (let round = 1; round <= lab.rounds; round++) {
        lab.say(`round ${round} of ${lab.rounds}: system, group of ${patients.length} patients, all patients`)
        for (const { times, ...plan } of runs) times.push((await wholeExport(site, plan)).seconds)
      }
      await site.close()
      const rows = runs.map(({ name, times, expected: exported }) => {
        const spread = spreadOf(times)
        return { name, exported, ...spread, perSecond: exported / spread.median }
      })
      const [system, group, patient] = rows.map(({ perSecond }) => perSecond) as [number, number, number]
      return findings(
        [
          atLeast(
            `group of ${unit.count(patients.length)} : system, in resources a second`,
            group / system,
            0.5,
          ),
          plain('all patients : system, in resources a second', patient / system),
        ],
        rows,
        [
          ['level', (row) => row.name],
          ['resources/s, median', (row) => unit.count(row.perSecond)],
          ['resources', (row) => unit.count(row.exported)],
          [`fastest of ${lab.rounds}`, (row) => unit.seconds(row.min)],
          ['median', (row) => unit.seconds(row.median)],
          ['slowest', (row) => unit.seconds(row.max)],
        ],
      )
    })
  },
}
