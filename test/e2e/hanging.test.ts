import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ExportStorage, HostProfile } from '../../plugin/index.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { Calls } from '../integration/calls.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { type Answer, ask, expectRefusal, kickOff } from '../support/protected-host.js'

/** In ms. */
const SHORT = 300
const STALL = 1000
/** How many groups a process reads at the same time. */
const PLANS_AT_ONCE = 20

type Query = Readonly<Record<string, string>>

const never = () => new Promise<never>(() => {})
const PATIENT = { resourceType: 'Patient', id: 'p' }
const OBSERVATIONS = ['o0', 'o1', 'o2', 'o3'].map((id) => ({
  ...{ resourceType: 'Observation', id, subject: { reference: 'Patient/p' } },
}))
const GROUP = { resourceType: 'Group', type: 'person', meta: { lastUpdated: '2024-07-01T00:00:00Z' } }
const GROUPS = [
  { ...GROUP, id: 'described', actual: false },
  { ...GROUP, id: 'listed', actual: true, member: [{ entity: { reference: 'Patient/p' } }] },
]
/** What is thrown may pass. */
const overloaded = () => Object.assign(new Error('overloaded'), { statusCode: 503 })

describe('what hangs', () => {
  const database = useDatabase()
  let hosts: TestHost[]
  let calls: Calls
  /** What the search of Observation does; gets how often it was called before. */
  let observations: (query: Query, before: number) => unknown
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-hanging-'))
    hosts = []
    calls = new Calls()
    observations = () => OBSERVATIONS
  })
  afterEach(async () => {
    await Promise.all(hosts.map((host) => host.close()))
    await rm(folder, { recursive: true, force: true })
  })

  const start = async (
    options: TestHostOptions['options'] = {},
    wrap: (storage: ExportStorage) => ExportStorage = (storage) => storage,
  ) => {
    const search: HostProfile['service'] = {
      search: async (_args: object, { req }: { readonly req: unknown }) => {
        calls.add('search')
        return observations((req as { query: Query }).query, calls.all.length - 1)
      },
    }
    const Observation = { service: search, versions: ['4_0_0'] }
    const host = await startHost(database, {
      ...{ resources: hosts.length === 0 ? [PATIENT, ...GROUPS] : [], types: ['Patient', 'Group'] },
      profiles: { Observation },
      options: { workers: 1, storage: wrap(fileStorage(folder)), ...options },
    })
    hosts.push(host)
    return host
  }
  const idOf = (statusUrl: string) => statusUrl.split('/').at(-1) as string
  const tasks = () => database.db.collection<{ job: string; failures: number }>('bulkexport.tasks')
  const jobs = () => database.db.collection<{ _id: string; planFailures: number }>('bulkexport.jobs')
  /** Lets all tasks have failed so often in a row before. */
  const failBefore = (failures: number) => tasks().updateMany({}, { $set: { failures } })
  const observationsOf = (host: TestHost) => kickOff(host, {}, '$export?_type=Observation')
  const patientsOf = (host: TestHost) => kickOff(host, {}, '$export?_type=Patient')
  /** Demands that the export has failed, and for a reason that does not pass; gives it. */
  const reasonOf = async (host: TestHost, statusUrl: string): Promise<string> => {
    expect(await host.ended(statusUrl)).to.equal('failed')
    const answer: Answer = await ask(statusUrl)
    expect(answer.headers.has('retry-after')).to.equal(false)
    return expectRefusal(answer, 500, 'exception')
  }
  const logged = (host: TestHost, event: string) =>
    host.log.filter(({ level, message }) => level === 'warn' && message === event)

  describe('a search', () => {
    it('LinuxForHealth/FHIR#2419, hapifhir/hapi-fhir#4511: that never answers fails the export in the end, with the type and how long it took; others go on meanwhile [ST-08]', async () => {
      const host = await start({ searchTimeout: SHORT })
      observations = async (_query, before) => {
        if (before > 0) return never()
        await failBefore(8)
        throw overloaded()
      }
      const statusUrl = await observationsOf(host)
      await calls.reached(1)
      expect(await host.ended(await patientsOf(host))).to.equal('completed')
      const reason = await reasonOf(host, statusUrl)
      expect(reason)
        .to.match(/\bObservation\b/)
        .and.match(/\b0\.3 seconds\b/)
      const [retried, ...more] = logged(host, 'task.retried')
      expect(retried).to.include({ failures: 1, pause: 250 })
      expect(more).to.deep.equal([])
      expect(calls.all).to.have.length(2)
    })

    for (const page of [0, 1, 3]) {
      it(`that answers page ${page} at the second try only costs time; nothing comes twice`, async () => {
        const host = await start({ searchTimeout: SHORT, maxFileResources: 1 })
        let hangs = true
        observations = (query) => {
          const asked = Number(query['page'] ?? 0)
          if (hangs && asked === page) {
            hangs = false
            return never()
          }
          return pageOf(OBSERVATIONS.slice(asked, asked + 1), asked < 3 ? asked + 1 : undefined)
        }
        const manifest = await host.manifest(await observationsOf(host))
        expect((await host.resources(manifest)).get('Observation')).to.deep.equal(OBSERVATIONS)
        expect(logged(host, 'task.retried')).to.have.length(1)
        expect(await tasks().distinct('failures'), 'after a checkpoint').to.deep.equal([0])
      })
    }

    it('that answers after it was given up changes nothing any more', async () => {
      const host = await start({ searchTimeout: SHORT })
      let answer: (resources: readonly object[]) => void = () => {}
      observations = (_query, before) => {
        if (before > 0) return OBSERVATIONS
        return new Promise((resolve) => {
          answer = resolve
        })
      }
      const statusUrl = await observationsOf(host)
      await calls.reached(2)
      answer([{ resourceType: 'Observation', id: 'late' }])
      const manifest = await host.manifest(statusUrl)
      expect((await host.resources(manifest)).get('Observation')).to.deep.equal(OBSERVATIONS)
    })

    it('that hangs longer than an export may stand still fails it too', async () => {
      const host = await start({ stallTimeout: STALL })
      observations = async (_query, before) => {
        if (before > 0) return never()
        await failBefore(8)
        throw overloaded()
      }
      const statusUrl = await observationsOf(host)
      await calls.reached(1)
      expect(await host.ended(await patientsOf(host))).to.equal('completed')
      expect(await reasonOf(host, statusUrl)).to.match(/\bObservation\b.*\b1 seconds\b/)
    })
  })

  it('a write: fails the export in the end, others go on meanwhile, and nothing stays open [ST-08 ERR-11]', async () => {
    const host = await start({ stallTimeout: STALL }, (disk) => ({
      ...disk,
      async write(key, source, options) {
        if (!key.includes('Observation')) return disk.write(key, source, options)
        calls.add('write')
        if (calls.all.filter((call) => call === 'write').length > 1) return never()
        await failBefore(8)
        throw overloaded()
      },
    }))
    const statusUrl = await observationsOf(host)
    await calls.reached(2)
    expect(await host.ended(await patientsOf(host))).to.equal('completed')
    expect(await reasonOf(host, statusUrl)).to.match(/\bObservation\b.*\b1 seconds\b/)
  })

  describe('the members of a group', () => {
    it('fail the export when they are not found out in time, however often [ST-08]', async () => {
      const host = await start({
        stallTimeout: STALL,
        groupMembers: async () => {
          calls.add('hook')
          // The next one will be the tenth.
          await jobs().updateMany({ planFailures: { $lt: 9 } }, { $set: { planFailures: 9 } })
          await jobs().updateMany({ planFailures: { $exists: false } }, { $set: { planFailures: 9 } })
          return never()
        },
      })
      const statusUrl = await kickOff(host, {}, 'Group/described/$export?_type=Patient')
      await calls.reached(1)
      expect(await host.ended(await kickOff(host, {}, 'Group/listed/$export?_type=Patient'))).to.equal(
        'completed',
      )
      expect(await host.ended(statusUrl)).to.equal('failed')
      const answer = await ask(statusUrl)
      expect(answer.text).to.include('1 seconds')
      // A client is told to come again only by what does not end the export.
      expect(answer.headers.has('retry-after')).to.equal(false)
      expectRefusal(answer, 500, 'timeout')
    })

    it('may be found out at the second try', async () => {
      const host = await start({
        stallTimeout: STALL,
        groupMembers: async () => {
          calls.add('hook')
          return calls.all.length === 1 ? never() : ['p']
        },
      })
      const manifest = await host.manifest(await kickOff(host, {}, 'Group/described/$export?_type=Patient'))
      expect((await host.resources(manifest)).get('Patient')).to.have.length(1)
      expect(logged(host, 'job.planning-retried')).to.have.length(1)
      expect((await jobs().find().toArray()).map(({ planFailures }) => planFailures)).to.deep.equal([1])
    })

    it('that cannot be read, since the database of the service is not there, fail the export for good: nobody is told to come again [ST-07 ST-10]', async () => {
      const host = await start({
        groupMembers: async () => {
          await jobs().updateMany({}, { $set: { planFailures: 9 } })
          throw Object.assign(new Error('connection closed'), { name: 'MongoNetworkError' })
        },
      })
      const statusUrl = await kickOff(host, {}, 'Group/described/$export?_type=Patient')
      await reasonOf(host, statusUrl)
    })
  })

  describe('until its export is deleted', () => {
    /** Each begins exports that hang, gives their URLs, and what is to go on then. */
    const hanging: Readonly<
      Record<string, () => Promise<{ host: TestHost; urls: string[]; other: string }>>
    > = {
      'a search': async () => {
        observations = never
        const host = await start()
        const urls = [await observationsOf(host)]
        await calls.reached(1)
        return { host, urls, other: '$export?_type=Patient' }
      },
      'a write': async () => {
        const host = await start({}, (disk) => ({
          ...disk,
          async write(key, source, options) {
            if (!key.includes('Observation')) return disk.write(key, source, options)
            calls.add('write')
            return never()
          },
        }))
        const urls = [await observationsOf(host)]
        await calls.reached(2)
        return { host, urls, other: '$export?_type=Patient' }
      },
      'a write that holds its source': async () => {
        const host = await start({}, (disk) => ({
          ...disk,
          async write(key, source, options) {
            if (!key.includes('Observation')) return disk.write(key, source, options)
            await source[Symbol.asyncIterator]().next()
            calls.add('write')
            return never()
          },
        }))
        const urls = [await observationsOf(host)]
        await calls.reached(2)
        return { host, urls, other: '$export?_type=Patient' }
      },
      'the hook deletedSince': async () => {
        const host = await start({
          deletedSince: async () => {
            calls.add('hook')
            return never()
          },
        })
        const urls = [await kickOff(host, {}, '$export?_type=Patient&_since=2024-01-01T00:00:00Z')]
        await calls.reached(1)
        return { host, urls, other: '$export?_type=Patient' }
      },
      'the hook groupMembers, as often as groups are read at once': async () => {
        const host = await start({
          groupMembers: async () => {
            calls.add('hook')
            return never()
          },
        })
        const urls: string[] = []
        for (let index = 0; index < PLANS_AT_ONCE; index += 1) {
          urls.push(await kickOff(host, {}, 'Group/described/$export'))
        }
        await calls.reached(PLANS_AT_ONCE)
        return { host, urls, other: 'Group/listed/$export?_type=Patient' }
      },
    }
    for (const [what, begin] of Object.entries(hanging)) {
      it(`${what}: then the worker is free for others at once`, async () => {
        const { host, urls, other } = await begin()
        const statusUrl = await kickOff(host, {}, other)
        for (const url of urls) expect((await ask(url, { method: 'DELETE' })).status).to.equal(202)
        expect(await host.ended(statusUrl)).to.equal('completed')
        for (const url of urls) {
          expect((await ask(url)).status).to.equal(404)
          expect(await tasks().countDocuments({ job: idOf(url) })).to.equal(0)
        }
      })
    }
  })
})

function pageOf(resources: readonly object[], next?: number): object {
  const link = next === undefined ? [] : [{ relation: 'next', url: `http://example.org/any?page=${next}` }]
  return { resourceType: 'Bundle', link, entry: resources.map((resource) => ({ resource })) }
}
