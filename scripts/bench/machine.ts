import { cpus, loadavg, totalmem } from 'node:os'

/** What a measurement depends on besides the program. */
export interface Machine {
  readonly date: string
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly node: string
  readonly mongodb: string
  /** How many processes wanted to run in the minute before the first measurement: more than 0 disturbs it. */
  readonly load: number
}

export function thisMachine(mongodb: string): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    ...{ node: process.version, mongodb, load: loadavg()[0] ?? Number.NaN },
  }
}

export function machineText({ date, cores, cpu, memoryGiB, node, mongodb, load }: Machine): string {
  return `${date}, ${cores} × ${cpu}, ${memoryGiB} GiB; Node ${node}; MongoDB ${mongodb}; load before: ${load.toFixed(1)}`
}
