import { expect } from 'chai'
import promClient, { Registry } from 'prom-client'
import type { EngineGauges } from '../../../plugin/jobs/metrics.js'
import type { PrometheusRegistry } from '../../../plugin/jobs/prometheus-client.js'
import { prometheusMetrics } from '../../../plugin/jobs/prometheus-metrics.js'
import { createTestLogger } from '../../support/logger.js'
import { figure } from '../../support/prometheus.js'

const OUTPUT = { kind: 'output', name: 'Patient-1.ndjson', resources: 3, bytes: 90 } as const
const PROBLEMS = { kind: 'error', name: 'error-1.ndjson', resources: 1, bytes: 70 } as const

/** An engine that says the same all the time. */
const engine = (database: string, tasks: number): EngineGauges => ({
  database,
  runningTasks: () => tasks,
  waitingTasks: async () => 5,
  runningJobs: async () => 7,
})

describe('prometheusMetrics', () => {
  const start = (registry = new Registry()) => {
    const { logger, records } = createTestLogger()
    const metrics = prometheusMetrics({ ...promClient, register: registry }, logger)
    return { registry, metrics, records }
  }

  it('begins with 0 for what can be told beforehand', async () => {
    const { registry } = start()
    for (const [metric, labels] of [
      ['jobs_total', { status: 'accepted' }],
      ['tasks_total', { end: 'handed-back' }],
      ['failures_total', { reason: 'stalled' }],
      ['files_total', { kind: 'deleted' }],
    ] as const) {
      expect(await figure(registry, metric, labels), metric).to.equal(0)
    }
  })

  it('counts resources and bytes of output files, and files of each kind', async () => {
    const { registry, metrics } = start()
    metrics.committed('Patient', [OUTPUT, PROBLEMS])
    metrics.committed('Patient', [OUTPUT])
    expect(await figure(registry, 'resources_total', { type: 'Patient' })).to.equal(6)
    expect(await figure(registry, 'bytes_total', { type: 'Patient' })).to.equal(180)
    expect(await figure(registry, 'files_total', { kind: 'output' })).to.equal(2)
    expect(await figure(registry, 'files_total', { kind: 'error' })).to.equal(1)
  })

  it('counts jobs, tasks and failures', async () => {
    const { registry, metrics } = start()
    metrics.jobsChanged('expired', 4)
    metrics.jobsChanged('accepted')
    metrics.taskEnded('lost')
    metrics.failed('denied')
    expect(await figure(registry, 'jobs_total', { status: 'expired' })).to.equal(4)
    expect(await figure(registry, 'jobs_total', { status: 'accepted' })).to.equal(1)
    expect(await figure(registry, 'tasks_total', { end: 'lost' })).to.equal(1)
    expect(await figure(registry, 'failures_total', { reason: 'denied' })).to.equal(1)
  })

  it('adds up on one registry, and asks each database once', async () => {
    const { registry, metrics, records } = start()
    const other = start(registry).metrics
    metrics.jobsChanged('completed')
    other.jobsChanged('completed')
    metrics.watch(engine('a', 1))
    other.watch(engine('a', 2))
    const leave = other.watch(engine('b', 4))
    expect(await figure(registry, 'jobs_total', { status: 'completed' })).to.equal(2)
    expect(await figure(registry, 'running_tasks')).to.equal(7)
    expect(await figure(registry, 'waiting_tasks')).to.equal(10)
    expect(await figure(registry, 'running_jobs')).to.equal(14)
    leave()
    expect(await figure(registry, 'running_tasks')).to.equal(3)
    expect(await figure(registry, 'running_jobs')).to.equal(7)
    expect(records).to.deep.equal([])
  })

  it('says NaN where there is no engine or no answer, and the rest of the scrape comes', async () => {
    const { registry, metrics, records } = start()
    expect(await figure(registry, 'running_jobs')).to.deep.equal(Number.NaN)
    metrics.watch({ ...engine('a', 1), runningJobs: () => Promise.reject(new Error('gone')) })
    metrics.watch({ ...engine('b', 1), waitingTasks: () => new Promise(() => undefined) })
    const begin = Date.now()
    const text = await registry.metrics()
    expect(Date.now() - begin).to.be.below(4000)
    expect(text).to.match(/^bulk_export_running_jobs nan$/im)
    expect(text).to.match(/^bulk_export_waiting_tasks nan$/im)
    expect(text).to.match(/^bulk_export_running_tasks 2$/m)
    await figure(registry, 'running_jobs')
    const told = records.filter(({ message }) => message === 'metrics.failed')
    expect(told.map(({ metric }) => metric)).to.have.members([
      'bulk_export_running_jobs',
      'bulk_export_waiting_tasks',
    ])
  })

  it('goes on beside a metric of the host with the same name', async () => {
    const registry = new Registry()
    new promClient.Gauge({ name: 'bulk_export_jobs_total', help: 'Mine.', registers: [registry] })
    const { metrics, records } = start(registry)
    metrics.jobsChanged('accepted')
    metrics.taskEnded('done')
    expect(await figure(registry, 'tasks_total', { end: 'done' })).to.equal(1)
    expect(records.map(({ message, metric }) => [message, metric])).to.deep.equal([
      ['metrics.failed', 'bulk_export_jobs_total'],
    ])
  })

  it('never throws, whatever the registry does, and says so once for each metric', () => {
    const failing: PrometheusRegistry = {
      getSingleMetric: () => undefined,
      registerMetric: () => {
        throw new Error('full')
      },
    }
    const { logger, records } = createTestLogger()
    const metrics = prometheusMetrics({ ...promClient, register: failing }, logger)
    for (let round = 0; round < 3; round += 1) {
      metrics.jobsChanged('accepted')
      metrics.taskEnded('done')
      metrics.failed('other')
      metrics.committed('Patient', [OUTPUT])
      metrics.watch(engine('a', 1))()
    }
    const told = records.map(({ metric }) => metric)
    expect(told).to.have.length(9)
    expect(new Set(told).size).to.equal(9)
  })
})
