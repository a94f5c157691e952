import type { Logger } from 'winston'
import { describeError } from '../errors.js'
import { untilAborted } from '../until-aborted.js'
import { FAILURE_REASONS } from './failure-reason.js'
import { type EngineGauges, JOB_CHANGES, type Metrics, TASK_ENDS } from './metrics.js'
import type { FileKind } from './model.js'
import type { PrometheusClient, PrometheusRegistry } from './prometheus-client.js'

const PREFIX = 'bulk_export_'
const FILE_KINDS: readonly FileKind[] = ['output', 'deleted', 'error']
/** How long a scrape waits for the database, in ms; Prometheus itself waits for ten seconds. */
const LONGEST_LOOK = 2000

/** The engines of this process, by the registry that asks them: two on one registry share its gauges. */
const enginesOf = new WeakMap<PrometheusRegistry, Set<EngineGauges>>()

interface Counter {
  inc(labels: Readonly<Record<string, string>>, value: number): void
}

interface Gauge {
  set(value: number): void
}

/**
 * Counts with `prom-client`. What is on the registry already, from another engine of this process, is used again. A
 * registry that fails is told of in the log, once for each metric, and disturbs nobody.
 */
export function prometheusMetrics(client: PrometheusClient, logger: Logger): Metrics {
  const { register } = client
  const engines = enginesOf.get(register) ?? new Set<EngineGauges>()
  enginesOf.set(register, engines)
  const told = new Set<string>()
  const complain = (metric: string, error: unknown) => {
    if (told.has(metric)) return
    told.add(metric)
    logger.warn('metrics.failed', { metric, error: describeError(error) })
  }
  const safely = (metric: string, work: () => void) => {
    try {
      work()
    } catch (error) {
      complain(metric, error)
    }
  }
  const registered = (name: string, make: () => object): object => {
    const known = register.getSingleMetric(name)
    if (known !== undefined) return known
    const made = make()
    register.registerMetric(made)
    return made
  }
  /** @param values those that can be told beforehand begin with 0, so that their first change is seen as one */
  const counter = (metric: string, help: string, label: string, values: readonly string[] = []) => {
    const name = PREFIX + metric
    let made: Counter | undefined
    safely(name, () => {
      const description = { name, help, labelNames: [label], registers: [] as [] }
      made = registered(name, () => new client.Counter(description)) as Counter
      for (const value of values) made.inc({ [label]: value }, 0)
    })
    return (value: string, count: number) => safely(name, () => made?.inc({ [label]: value }, count))
  }
  const gauge = (metric: string, help: string, read: () => Promise<number>) => {
    const name = PREFIX + metric
    let made: Gauge | undefined
    const collect = async () => {
      // A gauge that rejects would take all other metrics of the host from the scrape.
      const value = await untilAborted(read, { timeout: LONGEST_LOOK }).catch((error: unknown) => {
        complain(name, error)
        return Number.NaN
      })
      safely(name, () => made?.set(value))
    }
    safely(name, () => {
      const description = { name, help, labelNames: [], registers: [] as [], collect }
      made = registered(name, () => new client.Gauge(description)) as Gauge
    })
  }
  /** Each database is asked once, whatever engines of this process are on it. */
  const overDatabases = async (read: (engine: EngineGauges) => Promise<number>) => {
    if (engines.size === 0) return Number.NaN
    const asked = new Map([...engines].map((engine) => [engine.database, engine]))
    return sum(await Promise.all([...asked.values()].map(read)))
  }

  const resources = counter('resources_total', 'Resources in output files.', 'type')
  const bytes = counter('bytes_total', 'Bytes of NDJSON in output files.', 'type')
  const files = counter('files_total', 'Files that came to count.', 'kind', FILE_KINDS)
  const jobs = counter('jobs_total', 'Exports that came to this status here.', 'status', JOB_CHANGES)
  const tasks = counter('tasks_total', 'Runs of tasks by how they ended.', 'end', TASK_ENDS)
  const failures = counter('failures_total', 'Failures, tried again or not.', 'reason', FAILURE_REASONS)
  gauge('running_tasks', 'Tasks that this process runs.', async () =>
    sum([...engines].map((engine) => engine.runningTasks())),
  )
  gauge('waiting_tasks', 'Tasks of all processes that a worker could take.', () =>
    overDatabases((engine) => engine.waitingTasks()),
  )
  gauge('running_jobs', 'Exports of all processes that are under way.', () =>
    overDatabases((engine) => engine.runningJobs()),
  )
  return {
    jobsChanged: (change, count = 1) => jobs(change, count),
    taskEnded: (end) => tasks(end, 1),
    failed: (reason) => failures(reason, 1),
    committed(exports, committed) {
      for (const file of committed) {
        files(file.kind, 1)
        if (file.kind !== 'output') continue
        resources(exports, file.resources)
        bytes(exports, file.bytes)
      }
    },
    watch(engine) {
      engines.add(engine)
      return () => {
        engines.delete(engine)
      }
    },
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
