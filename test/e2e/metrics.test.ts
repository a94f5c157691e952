import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import promClient, { Registry } from 'prom-client'
import {
  type BulkExportOptions,
  createBulkExport,
  ExportError,
  type HostProfile,
} from '../../plugin/index.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { deferred } from '../integration/calls.js'
import { startHost, type TestHost, type TestHostOptions, type TestResource } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { figure } from '../support/prometheus.js'

const PATIENTS = ['p1', 'p2', 'p3', 'p4', 'p5'].map((id): TestResource => ({ resourceType: 'Patient', id }))
const CONDITIONS = [{ resourceType: 'Condition', id: 'c', subject: { reference: 'Patient/p1' } }]
const GROUP = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
  member: [{ entity: { reference: 'Patient/p1' } }],
}

describe('the option metrics', () => {
  const database = useDatabase()
  let registry: Registry
  let hosts: TestHost[]
  /** What the service of Observation does. */
  let answer: () => unknown

  beforeEach(() => {
    registry = new Registry()
    hosts = []
    answer = () => []
  })
  afterEach(async () => {
    answer = () => []
    for (const host of hosts) await host.close()
  })

  const observations: HostProfile = {
    versions: ['4_0_0'],
    service: {
      search: async () => {
        await turn()
        return answer()
      },
    },
  }
  const start = async (options: Partial<BulkExportOptions> = {}, others: TestHostOptions = {}) => {
    const host = await startHost(database, {
      types: ['Patient', 'Condition'],
      profiles: { Observation: observations, Group: observations },
      ...others,
      options: { metrics: { ...promClient, register: registry }, ...options },
    })
    hosts.push(host)
    return host
  }
  const count = (metric: string, labels: Readonly<Record<string, string>> = {}) =>
    figure(registry, metric, labels)
  /** All figures of a metric that are not 0, by their label. */
  const counts = async (metric: string) => {
    const found = await registry.getSingleMetric(`bulk_export_${metric}`)?.get()
    const values = found?.values.map(({ labels, value }) => [Object.values(labels).join(), value] as const)
    return Object.fromEntries(values?.filter(([, value]) => value !== 0) ?? [])
  }
  /** Ends an export of these types, and the host, so that nothing of it is counted later. */
  const exportOf = async (host: TestHost, types: string) => {
    const end = await host.ended(await host.client.kickOff('system', { _type: types }))
    await host.bulkExport.stop()
    return end
  }

  it('gives after an export the figures of its manifest', async () => {
    const host = await start({ maxFileResources: 2 }, { resources: [...PATIENTS, ...CONDITIONS] })
    const response = await fetch(`${host.base}/$export?_type=Patient,Condition,Nonsense`, {
      headers: { Accept: 'application/fhir+json', Prefer: 'respond-async, handling=lenient' },
    })
    const { output, error } = await host.manifest(response.headers.get('content-location') as string)
    const bytes: Record<string, number> = {}
    for (const { type, url } of output) {
      for await (const chunk of await host.client.download(url)) {
        bytes[type] = (bytes[type] ?? 0) + chunk.length
      }
    }
    await host.bulkExport.stop()
    expect([output.length, error?.length]).to.deep.equal([4, 1])
    expect(await counts('resources_total')).to.deep.equal({ Patient: 5, Condition: 1 })
    expect(await counts('bytes_total')).to.deep.equal(bytes)
    expect(await counts('files_total')).to.deep.equal({ output: 4, error: 1 })
    expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, completed: 1 })
    expect(await counts('tasks_total')).to.deep.equal({ done: 3 })
    expect(await counts('failures_total')).to.deep.equal({})
  })

  it('takes the module as it is, and counts on its default registry', async () => {
    try {
      const host = await start({ metrics: promClient })
      await exportOf(host, 'Patient')
      expect(await figure(promClient.register, 'jobs_total', { status: 'completed' })).to.equal(1)
    } finally {
      promClient.register.clear()
    }
  })

  it('is refused by its name when it is something else', () => {
    const options = { config: { profiles: {} }, mongodb: { uri: 'mongodb://x' }, storage: 'file:///x' }
    const metrics = {} as typeof promClient
    expect(() => createBulkExport({ ...options, metrics } as BulkExportOptions)).to.throw(/metrics/)
  })

  it('when it is absent leaves every registry alone', async () => {
    const host = await start({ metrics: undefined })
    expect(await exportOf(host, 'Patient')).to.equal('completed')
    expect(promClient.register.getMetricsAsArray()).to.deep.equal([])
  })

  const refusals: readonly (readonly [reason: string, error: unknown])[] = [
    ['service', new ExportError(500, 'no')],
    ['denied', Object.assign(new Error('no'), { statusCode: 403 })],
  ]
  for (const [reason, error] of refusals) {
    it(`counts a job that fails by ${reason}`, async () => {
      answer = () => Promise.reject(error)
      expect(await exportOf(await start(), 'Observation')).to.equal('failed')
      expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, failed: 1 })
      expect(await counts('tasks_total')).to.deep.equal({ failed: 1 })
      expect(await counts('failures_total')).to.deep.equal({ [reason]: 1 })
    })
  }

  const passing: readonly (readonly [reason: string, fail: () => unknown, Partial<BulkExportOptions>])[] = [
    ['service', () => Promise.reject(new Error('no')), {}],
    ['database', () => Promise.reject(Object.assign(new Error('no'), { name: 'MongoNetworkError' })), {}],
    ['timeout', () => new Promise(() => undefined), { searchTimeout: 50 }],
    ['stalled', () => new Promise(() => undefined), { stallTimeout: 1000 }],
  ]
  for (const [reason, fail, options] of passing) {
    it(`counts a task that is tried again because of ${reason}`, async () => {
      let failures = 1
      answer = () => (failures-- > 0 ? fail() : [])
      expect(await exportOf(await start(options), 'Observation')).to.equal('completed')
      expect(await counts('tasks_total')).to.deep.equal({ retried: 1, done: 1 })
      expect(await counts('failures_total')).to.deep.equal({ [reason]: 1 })
      expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, completed: 1 })
    })
  }

  it('counts a storage that fails, and nothing of the file', async () => {
    const host = await start({ workers: 0 }, { resources: PATIENTS })
    const disk = fileStorage(`file://${host.folder}`)
    let failures = 1
    const write: typeof disk.write = async (...file) => {
      if (failures-- > 0) throw new Error('no space')
      await disk.write(...file)
    }
    const worker = await start({ storage: { ...disk, write } })
    expect(await exportOf(worker, 'Patient')).to.equal('completed')
    expect(await counts('failures_total')).to.deep.equal({ storage: 1 })
    expect(await counts('resources_total')).to.deep.equal({ Patient: 5 })
    expect(await counts('files_total')).to.deep.equal({ output: 1 })
  })

  it('counts a job that cannot be planned', async () => {
    answer = () => [GROUP]
    const host = await start({ writeGrace: 300 })
    const statusUrl = await host.client.kickOff({ group: 'g' }, { _type: 'Patient' })
    answer = () => Promise.reject(new ExportError(500, 'no'))
    expect(await host.ended(statusUrl)).to.equal('failed')
    await host.bulkExport.stop()
    expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, failed: 1 })
    expect(await counts('failures_total')).to.deep.equal({ service: 1 })
    expect(await counts('tasks_total')).to.deep.equal({})
  })

  it('counts a cancelled job once, and a refused one never', async () => {
    const host = await start({ workers: 0, maxRunningExports: 1 })
    const statusUrl = await host.client.kickOff('system')
    expect(await count('running_jobs')).to.equal(1)
    const refused = await host.client.kickOff('system').catch(({ status }: { status: number }) => status)
    expect(refused).to.equal(429)
    await host.client.remove(statusUrl)
    await host.client.remove(statusUrl).catch(() => undefined)
    expect(await count('running_jobs')).to.equal(0)
    expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, cancelled: 1 })
  })

  it('counts an expired job once, whoever looks', async () => {
    const host = await start({ retention: 0 })
    const others = [await start({ retention: 0 }), await start({ retention: 0 })]
    await host.ended(await host.client.kickOff('system', { _type: 'Patient' }))
    // Each looks at the record before it ends.
    await Promise.all([host, ...others].map(({ bulkExport }) => bulkExport.stop()))
    expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, completed: 1, expired: 1 })
  })

  it('has figures of what goes on, of two hosts on one registry as of one', async () => {
    const searching = deferred()
    const held = deferred()
    answer = () => {
      searching.resolve()
      return held.promise.then(() => [])
    }
    const worker = await start({ workers: 1 })
    const host = await start({ workers: 0 })
    const statusUrl = await host.client.kickOff('system', { _type: 'Observation,Patient,Condition' })
    await searching.promise
    const waiting = 3 - 1 - ((await counts('tasks_total'))['done'] ?? 0)
    expect(await count('running_tasks')).to.equal(1)
    expect(await count('waiting_tasks')).to.equal(waiting)
    expect(await count('running_jobs')).to.equal(1)
    held.resolve()
    expect(await host.ended(statusUrl)).to.equal('completed')
    await worker.bulkExport.stop()
    expect(await count('running_tasks')).to.equal(0)
    expect(await count('waiting_tasks')).to.equal(0)
    expect(await count('running_jobs')).to.equal(0)
    expect(await counts('jobs_total')).to.deep.equal({ accepted: 1, completed: 1 })
    expect(await registry.metrics()).to.match(/^bulk_export_tasks_total\{end="done"\} 3$/m)
  })

  it('counts a task that a stopping worker hands back', async () => {
    const searching = deferred()
    answer = () => {
      searching.resolve()
      return new Promise(() => undefined)
    }
    const host = await start()
    await host.client.kickOff('system', { _type: 'Observation' })
    await searching.promise
    await host.bulkExport.stop()
    expect(await counts('tasks_total')).to.deep.equal({ 'handed-back': 1 })
    expect(await counts('failures_total')).to.deep.equal({})
  })

  it('with a registry that throws takes nothing from an export', async () => {
    const fail = () => {
      throw new Error('full')
    }
    for (const register of [
      { getSingleMetric: fail, registerMetric: fail },
      { getSingleMetric: () => ({ inc: fail, set: fail }), registerMetric: fail },
    ]) {
      const host = await start({ metrics: { ...promClient, register } })
      expect(await exportOf(host, 'Patient')).to.equal('completed')
      const told = host.log.filter(({ message }) => message === 'metrics.failed')
      expect(told).not.to.have.length(0)
    }
  })
})
