import { cpus } from 'node:os'
import { collectionOf } from '../../host/collection.js'
import { withGroup } from '../added-group.js'
import { type CpuUse, cpuBetween, cpuShares, cpuTotal } from '../cpu-use.js'
import { type Figure, findings } from '../figure.js'
import { plain } from '../headline.js'
import type { DataSet, Lab } from '../lab.js'
import { quantile } from '../quantile.js'
import { unit } from '../unit.js'
import { type ExportPlan, wholeExport } from '../whole-export.js'

const RESOURCES = 100_000
const GROUP = 'bench-everybody'
/** Types of which each resource is in one compartment, so that it is known how many an export has. */
const GROUP_TYPES = ['Patient', 'Condition', 'Encounter']
const PROCESSES = [1, 2]

interface Run {
  readonly seconds: number
  readonly cpu: CpuUse
}

interface Row extends Run {
  readonly level: string
  readonly processes: number
  readonly resources: number
  /** Of the time that all cores had. */
  readonly busy: number
}

export const workersFigure: Figure = {
  name: 'workers',
  means:
    `two worker processes against one on ${cpus().length} cores, for the same data, with the CPU time of each part; ` +
    'the group is everybody, in slices',
  async measure(lab) {
    const data = await lab.population(lab.scaled(RESOURCES))
    const patients = await collectionOf(data.db, 'Patient').distinct('_id')
    const rows = await withGroup(data.db, GROUP, patients, async () => [
      ...(await compare(lab, data, 'system', { expected: data.resources + 1 })),
      ...(await compare(lab, data, 'group', await groupPlan(data))),
    ])
    const secondsOf = (level: string, processes: number) =>
      rows.find((row) => row.level === level && row.processes === processes)?.seconds ?? Number.NaN
    const speedUp = (level: string) => secondsOf(level, 1) / secondsOf(level, 2)
    return findings(
      [
        plain(`speed-up by a second process, system, ${cpus().length} cores`, speedUp('system')),
        plain(`speed-up by a second process, group, ${cpus().length} cores`, speedUp('group')),
      ],
      rows,
      columns(lab.rounds),
    )
  },
}

async function groupPlan({ db }: DataSet): Promise<ExportPlan> {
  const counts = await Promise.all(GROUP_TYPES.map((type) => collectionOf(db, type).countDocuments()))
  const expected = counts.reduce((sum, count) => sum + count, 0)
  return { level: { group: GROUP }, parameters: { _type: GROUP_TYPES.join(',') }, expected }
}

function columns(rounds: number) {
  return [
    ['level', (row: Row) => row.level],
    ['processes', (row: Row) => String(row.processes)],
    ['resources/s', (row: Row) => unit.count(row.resources / row.seconds)],
    ['resources', (row: Row) => unit.count(row.resources)],
    [`median of ${rounds}`, (row: Row) => unit.seconds(row.seconds)],
    ['CPU', (row: Row) => unit.seconds(cpuTotal(row.cpu))],
    ['cores busy', (row: Row) => unit.percent(row.busy)],
    ['of it workers', (row: Row) => unit.percent(cpuShares(row.cpu).workers)],
    ['mongod', (row: Row) => unit.percent(cpuShares(row.cpu).mongod)],
    ['API', (row: Row) => unit.percent(cpuShares(row.cpu).api)],
  ] as const
}

/** The same export with one process and with two, in turns; the median of each. */
async function compare(lab: Lab, data: DataSet, level: string, plan: ExportPlan): Promise<readonly Row[]> {
  const runs = new Map<number, Run[]>(PROCESSES.map((processes) => [processes, []]))
  for (let round = 1; round <= lab.rounds; round++) {
    for (const [processes, found] of runs) {
      lab.say(`round ${round} of ${lab.rounds}: ${level} export with ${processes} worker processes`)
      found.push(await measure(lab, data, processes, plan))
    }
  }
  return [...runs].map(([processes, found]) => {
    const middle = quantile(
      found.map(({ seconds }) => seconds),
      0.5,
    )
    const { seconds, cpu } = found.find((run) => run.seconds === middle) as Run
    const busy = cpuTotal(cpu) / (seconds * cpus().length)
    return { level, processes, resources: plan.expected, seconds, cpu, busy }
  })
}

async function measure(lab: Lab, data: DataSet, processes: number, plan: ExportPlan): Promise<Run> {
  const site = await lab.site(data)
  for (let number = 1; number <= processes; number++) await site.addWorker(lab.exportWorkers)
  const before = await site.cpu()
  const { seconds } = await wholeExport(site, plan)
  const cpu = cpuBetween(before, await site.cpu())
  await site.close()
  return { seconds, cpu }
}
