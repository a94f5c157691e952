import { collectionOf } from '../../host/collection.js'
import { withGroup } from '../added-group.js'
import { countCompartments } from '../compartment-count.js'
import { type Figure, findings } from '../figure.js'
import { atMost } from '../headline.js'
import { spreadOf } from '../quantile.js'
import { unit } from '../unit.js'
import { wholeExport } from '../whole-export.js'

const RESOURCES = 1_000_000
const PATIENTS = 10
const GROUP = 'bench-few'

export const smallGroupFigure: Figure = {
  name: 'small-group',
  means: `a group of ${PATIENTS} patients among all of the data, from the kick-off to the manifest, writeGrace included`,
  async measure(lab) {
    const resources = lab.scaled(RESOURCES)
    const { db } = await lab.population(resources)
    const all = await collectionOf(db, 'Patient').distinct('_id')
    const step = Math.max(1, Math.floor(all.length / PATIENTS))
    const patients = all.filter((_, index) => index % step === 0).slice(0, PATIENTS)
    const site = await lab.site({ db, resources })
    await site.addWorker(lab.exportWorkers)
    return withGroup(db, GROUP, patients, async () => {
      const expected = await countCompartments(db, patients)
      const times: number[] = []
      // The first export of a worker process runs code that was never run before.
      for (let round = 0; round <= lab.rounds; round++) {
        lab.say(`round ${round} of ${lab.rounds}: group of ${patients.length} of ${all.length} patients`)
        const { seconds } = await wholeExport(site, { level: { group: GROUP }, expected })
        times.push(seconds)
      }
      await site.close()
      const [first = Number.NaN, ...others] = times
      const row = { resources, patients: patients.length, exported: expected, first, ...spreadOf(others) }
      return findings(
        [
          atMost(
            `group of ${row.patients} of ${unit.count(resources)} resources`,
            row.median,
            1,
            unit.seconds,
          ),
        ],
        [row],
        [
          ['resources', (each) => unit.count(each.resources)],
          ['exported', (each) => unit.count(each.exported)],
          ['first', (each) => unit.seconds(each.first)],
          [`fastest of ${lab.rounds}`, (each) => unit.seconds(each.min)],
          ['median', (each) => unit.seconds(each.median)],
          ['slowest', (each) => unit.seconds(each.max)],
        ],
      )
    })
  },
}
