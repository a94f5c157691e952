import { setTimeout as delay } from 'node:timers/promises'
import { type CpuUse, cpuBetween } from './cpu-use.js'
import { type DataSet, EVERY_MEMBER, type Lab } from './lab.js'
import { residentOf } from './process-times.js'
import { quantile } from './quantile.js'
import { unit } from './unit.js'
import { type ExportPlan, wholeExport } from './whole-export.js'

/** What one export took, with a worker process that has done nothing before. */
export interface GrownExport {
  readonly what: string
  readonly resources: number
  readonly seconds: number
  /** Resident memory of the worker in bytes: before it had work, half of the time, and at most. */
  readonly startRss: number
  readonly medianRss: number
  readonly peakRss: number
  readonly cpu: CpuUse
}

/** How often the memory of a worker is looked at, in ms. */
const LOOK = 200

/** A whole system export of so many resources. */
export function grownExport(lab: Lab, resources: number): Promise<GrownExport> {
  const what = `system, ${resources.toLocaleString('en-GB')} resources`
  return lab.once(what, async () => measure(lab, what, await lab.population(resources), {}))
}

/** An export of the Patients and Coverages of a group. */
export function grownGroupExport(lab: Lab, patients: number): Promise<GrownExport> {
  const what = `group of ${patients.toLocaleString('en-GB')}`
  const plan = { level: { group: EVERY_MEMBER }, parameters: { _type: 'Patient' } }
  return lab.once(what, async () => {
    return measure(lab, what, await lab.members(patients), { ...plan, expected: patients })
  })
}

async function measure(
  lab: Lab,
  what: string,
  data: DataSet,
  plan: Partial<ExportPlan>,
): Promise<GrownExport> {
  const site = await lab.site(data)
  lab.say(`exporting: ${what}`)
  const worker = await site.addWorker(lab.exportWorkers)
  const { peak: startRss } = await residentOf(worker.pid)
  const before = await site.cpu()
  const looking = new AbortController()
  const looks = residentLooks(worker.pid, looking.signal)
  const { seconds, resources } = await wholeExport(site, { expected: data.resources, ...plan }).finally(() =>
    looking.abort(),
  )
  const cpu = cpuBetween(before, await site.cpu())
  const medianRss = quantile(await looks, 0.5)
  const { workerRss } = await site.close()
  const peakRss = workerRss[0] ?? Number.NaN
  lab.say(`${what}: ${unit.mebibytes(peakRss)} at most, ${unit.seconds(seconds)}`)
  return { what, resources, seconds, startRss, medianRss, peakRss, cpu }
}

async function residentLooks(pid: number, signal: AbortSignal): Promise<readonly number[]> {
  const looks: number[] = []
  while (!signal.aborted) {
    looks.push((await residentOf(pid)).now)
    await delay(LOOK)
  }
  return looks
}
