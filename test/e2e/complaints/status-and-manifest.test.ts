import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { z } from 'zod'
import { createBulkExport, type ExportStorage, type HostProfile } from '../../../plugin/index.js'
import { fileStorage } from '../../../plugin/storage/file.js'
import { waitForDocument } from '../../support/change-stream.js'
import { exportFolders, folderOfExport } from '../../support/export-folders.js'
import {
  startHost,
  type TestHost,
  type TestHostOptions,
  type TestResource,
  useHost,
} from '../../support/export-host.js'
import { createTestLogger } from '../../support/logger.js'
import { put, remove } from '../../support/manifest-files.js'
import { useDatabase } from '../../support/mongodb.js'
import { ask, expectRefusal, Gate, kickOff } from '../../support/protected-host.js'
import { exportOf } from '../../support/provenance.js'

// What users of other servers have complained about. Each test is named after the thread in their tracker.

const PATIENTS = Array.from({ length: 5 }, (_, index): TestResource => {
  return { resourceType: 'Patient', id: `p${index}` }
})
const MEMBER = [{ entity: { reference: 'Patient/p0' } }]
const GROUP: TestResource = { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: MEMBER }
const idOf = (statusUrl: string) => statusUrl.split('/').at(-1) as string
const profileOf = (search: () => unknown): HostProfile => {
  return { service: { search: async () => search() }, versions: ['4_0_0'] }
}
/** Gives one resource once the gate is open. */
const heldProfile = (resourceType: string, gate: Gate) =>
  profileOf(async () => {
    await gate.pass()
    return [{ resourceType, id: 'x', subject: { reference: 'Patient/p0' } }]
  })

describe('complaints about manifests', () => {
  const file = z.strictObject({ type: z.string().min(1), url: z.url(), count: z.int().min(1) })
  const schema = z.strictObject({
    transactionTime: z.iso.datetime(),
    request: z.url(),
    requiresAccessToken: z.boolean(),
    output: z.array(file),
    deleted: z.array(file),
    error: z.array(file),
  })
  const database = useDatabase()
  let options: TestHostOptions['options']
  const test = useHost(database, () => {
    return {
      resources: [...PATIENTS, GROUP],
      types: ['Condition', 'Observation'],
      ...(options ? { options } : {}),
    }
  })
  const kinds: Readonly<Record<string, readonly [path: string, files: readonly [number, number, number]]>> = {
    'nothing at all': ['$export?_type=Condition', [0, 0, 0]],
    everything: ['$export', [3, 0, 0]],
    'what was deleted': ['$export?_since=2024-01-01T00:00:00Z', [1, 1, 0]],
    'what was left out': ['$export?_type=Patient&_nope=1', [1, 0, 1]],
    'a group': ['Group/g/$export?_type=Patient', [1, 0, 0]],
    'all kinds of files': ['$export?_since=2024-01-01T00:00:00Z&_nope=1', [1, 1, 1]],
  }
  for (const compressFiles of [false, true]) {
    describe(compressFiles ? 'with compressed files' : 'with plain files', () => {
      before(() => {
        options = { compressFiles }
      })
      it('hapifhir/hapi-fhir#4084, hapifhir/hapi-fhir#4051: a manifest never lacks a member, nor has null for an empty list [MF-04 MF-10 MF-17]', async () => {
        const { host } = test
        await remove(host, 'Patient/p4')
        await put(host, { resourceType: 'Observation', id: 'o', subject: { reference: 'Patient/p0' } })
        const headers = { Prefer: 'respond-async, handling=lenient' }
        for (const [what, [path, numbers]] of Object.entries(kinds)) {
          const statusUrl = await kickOff(host, { headers }, path)
          expect(await host.ended(statusUrl)).to.equal('completed')
          const { text } = await ask(statusUrl)
          const { output, deleted, error, request } = schema.parse(JSON.parse(text))
          expect([output.length, deleted.length, error.length], `${what}: ${text}`).to.deep.equal(numbers)
          expect(request).to.equal(`${host.base}/${path}`)
        }
      })
    })
  }
})

describe('complaints about counts and progress', () => {
  const TYPES = ['Condition', 'Encounter', 'Observation', 'Procedure']
  let gates: ReadonlyMap<string, Gate>
  const database = useDatabase()
  const test = useHost(database, () => {
    gates = new Map(TYPES.map((type) => [type, new Gate()]))
    const held = [...gates].map(([type, gate]) => [type, heldProfile(type, gate)] as const)
    return {
      ...{ resources: PATIENTS, profiles: Object.fromEntries(held) },
      options: { workers: TYPES.length + 1, maxFileResources: 2, minPollInterval: 0 },
    }
  })
  afterEach(() => {
    for (const gate of gates.values()) gate.open()
  })

  it('LinuxForHealth/FHIR#2673, hapifhir/hapi-fhir#4878: no file is ever missing from the manifest, no count wrong, and progress never stops half-way', async () => {
    const { host } = test
    const statusUrl = await host.client.kickOff('system')
    const tasks = database.db.collection<{ type: string; status: string }>('bulkexport.tasks')
    const percents: number[] = []
    for (const each of ['Patient', ...TYPES]) {
      gates.get(each)?.open()
      await waitForDocument(tasks, ({ type, status }) => type === each && status === 'done')
      const { status, headers } = await ask(statusUrl)
      if (each !== TYPES.at(-1)) expect(status).to.equal(202)
      if (status === 202) percents.push(Number.parseInt(String(headers.get('x-progress')), 10))
    }
    expect(percents.slice(0, 4)).to.deep.equal([20, 40, 60, 80])

    const { output } = await host.manifest(statusUrl)
    const lines = new Map<string, number>()
    for (const { url, count, type } of output) {
      const { text } = await ask(url)
      expect(text.split('\n').length - 1, url).to.equal(count)
      lines.set(type, (lines.get(type) ?? 0) + count)
    }
    const stored = [['Patient', 5], ...TYPES.map((type) => [type, 1])]
    expect([...lines]).to.deep.equal(stored)
    const listed = output.map(({ url }) => url.split('/').at(-1))
    expect(await readdir(await folderOfExport(host.folder, statusUrl))).to.have.members(listed)
    expect(output).to.have.length(3 + TYPES.length)
  })
})

describe('complaints about retention', () => {
  const MINUTE = 60_000
  let gate: Gate
  const database = useDatabase()
  const test = useHost(database, () => {
    gate = new Gate()
    const profiles = { Observation: heldProfile('Observation', gate) }
    return { resources: PATIENTS, profiles, options: { retention: MINUTE, minPollInterval: 0 } }
  })
  afterEach(() => gate.open())
  const jobs = () => database.db.collection<{ _id: string; status: string; endedAt: Date }>('bulkexport.jobs')
  /** Lets times of a job lie an hour back, and a process look at the record. */
  const age = async (statusUrl: string, ...names: readonly string[]) => {
    const back = { $subtract: ['$$NOW', 60 * MINUTE] }
    await jobs().updateOne({ _id: idOf(statusUrl) }, [
      { $set: Object.fromEntries(names.map((name) => [name, back])) },
    ])
    await test.host.bulkExport.stop()
    await test.host.bulkExport.start()
  }

  it('hapifhir/hapi-fhir#3561, hapifhir/hapi-fhir#4500: an export is never removed while it runs or is fresh, however long it took, and never stays for ever', async () => {
    const { host } = test
    const statusUrl = await host.client.kickOff('system')
    await gate.reached
    await age(statusUrl, 'transactionTime', 'startedAt')
    expect((await ask(statusUrl)).status, 'it runs').to.equal(202)
    gate.open()
    const { output } = await host.manifest(statusUrl)
    await age(statusUrl, 'transactionTime', 'startedAt')
    const { headers, status } = await ask(statusUrl)
    expect(status, 'it has just ended').to.equal(200)
    const { endedAt } = (await jobs().findOne({ _id: idOf(statusUrl) })) ?? {}
    const expires = Number(endedAt?.getTime()) + MINUTE
    expect(Date.parse(String(headers.get('expires')))).to.equal(Math.floor(expires / 1000) * 1000)
    for (const { url } of output) expect((await ask(url)).status).to.equal(200)

    await age(statusUrl, 'endedAt')
    for (const url of [statusUrl, ...output.map((file) => file.url)]) {
      expectRefusal(await ask(url), 404, 'not-found', url)
    }
    expect(await readdir(host.folder)).to.deep.equal([])
    expect(await jobs().countDocuments()).to.equal(0)
  })

  it('hapifhir/hapi-fhir#7261, HeliosSoftware/hfs#144, smart-on-fhir/bulk-data-server#31: an export that was deleted, running or complete, never answers 202 again and leaves no files', async () => {
    const { host } = test
    const running = await host.client.kickOff('system')
    await gate.reached
    const tasks = database.db.collection<{ type: string; status: string }>('bulkexport.tasks')
    await waitForDocument(tasks, ({ type, status }) => type === 'Patient' && status === 'done')
    const complete = await host.client.kickOff('system', { _type: 'Patient' })
    const { output } = await host.manifest(complete)
    expect([...(await exportFolders(host.folder)).keys()]).to.have.members([idOf(running), idOf(complete)])
    for (const statusUrl of [running, complete]) {
      expect((await ask(statusUrl, { method: 'DELETE' })).status).to.equal(202)
      for (const method of ['GET', 'DELETE', 'GET']) {
        expectRefusal(await ask(statusUrl, { method }), 404, 'not-found', method)
      }
    }
    expectRefusal(await ask(String(output[0]?.url)), 404, 'not-found')
    gate.open()
    await host.bulkExport.stop()
    expect(await readdir(host.folder)).to.deep.equal([])
  })
})

describe('complaints about exports that fail', () => {
  let folder: string
  let search: () => unknown
  let storage: ExportStorage
  const hosts: TestHost[] = []
  const database = useDatabase()
  beforeEach('make a folder', async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
    storage = fileStorage(folder)
    search = () => []
  })
  afterEach('close the hosts', async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()))
    await rm(folder, { recursive: true, force: true })
  })
  async function start(workers: number, resources: readonly TestResource[] = []): Promise<TestHost> {
    const options = { storage, workers, minPollInterval: 0, deletedSince: () => search() as never }
    const profiles = { Observation: profileOf(() => search()) }
    const host = await startHost(database, { types: ['Patient', 'Group'], profiles, resources, options })
    hosts.push(host)
    return host
  }
  const refuse = () => Promise.reject(new Error('EACCES: permission denied, secret-bucket'))
  const bundle = (more: object) => ({ resourceType: 'Bundle', entry: [], ...more })
  interface Way {
    /** Between the kick-off and the work on it. */
    meanwhile?(host: TestHost): unknown
    readonly level?: 'group'
    readonly parameters?: Readonly<Record<string, string>>
    /** Default: 5xx. */
    readonly status?: number
  }
  const ways: Readonly<Record<string, () => Way>> = {
    'a service throws': () => {
      search = () => {
        throw new Error('secret')
      }
      return {}
    },
    'a service answers nonsense': () => {
      search = () => 'secret'
      return {}
    },
    'a service keeps resources back': () => {
      search = () => bundle({ total: 5 })
      return {}
    },
    'a service pages for ever': () => {
      search = () => bundle({ link: [{ relation: 'next', url: '?page=1' }] })
      return {}
    },
    'the hook for deleted resources throws': () => {
      search = () => {
        throw new Error('secret')
      }
      return { parameters: { _type: 'Patient', _since: '2024-01-01T00:00:00Z' } }
    },
    'the storage refuses files': () => {
      storage = { ...storage, write: refuse }
      return {}
    },
    'the storage refuses to write and to remove': () => {
      storage = { ...storage, write: refuse, removeAll: refuse }
      return {}
    },
    'the group has vanished': () => ({ level: 'group', meanwhile: (host) => remove(host, 'Group/g') }),
    'a group in the group is not there': () => ({
      ...{ level: 'group' },
      meanwhile: (host) => put(host, { ...GROUP, member: [{ entity: { reference: 'Group/nowhere' } }] }),
    }),
    'the group has become one that lists nobody': () => ({
      // Nothing that the server could mend.
      ...{ level: 'group', status: 422 },
      meanwhile: (host) => put(host, { ...GROUP, actual: false, member: [] }),
    }),
  }
  for (const [what, prepare] of Object.entries(ways)) {
    it(`medplum/medplum, icanbwell/fhir-server: a failed export is never 202 for ever, it is an error with its reason, at once and always: ${what} [ST-07 ST-08 ST-09]`, async () => {
      const { meanwhile, level, parameters, status: expected } = prepare()
      const front = await start(0, [...PATIENTS, GROUP])
      const statusUrl = await front.client.kickOff(level === 'group' ? { group: 'g' } : 'system', parameters)
      expect((await ask(statusUrl)).status).to.equal(202)
      await meanwhile?.(front)
      const worker = await start(1)
      expect(await worker.ended(statusUrl)).to.equal('failed')
      const first = await ask(statusUrl)
      if (expected === undefined) expect(first.status, first.text).to.be.within(500, 599)
      else expect(first.status, first.text).to.equal(expected)
      const code = JSON.parse(first.text).issue[0].code
      expect(expectRefusal(first, first.status, code))
        .to.match(/\S/)
        .and.not.to.match(/secret|EACCES/)
      const again = [await ask(statusUrl), await ask(statusUrl)]
      await front.bulkExport.stop()
      again.push(await ask(statusUrl.replace(front.base, (await start(1)).base)))
      for (const { status, text } of again) expect([status, text]).to.deep.equal([first.status, first.text])
    })
  }
})

describe('complaints about storages that cannot be written', () => {
  const database = useDatabase()
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('microsoft/fhir-server#647: a server whose folder cannot be written never starts, and says which folder', async () => {
    await writeFile(join(folder, 'file'), '')
    const path = join(folder, 'file', 'exports')
    const { logger } = createTestLogger()
    const bulkExport = createBulkExport({
      ...{ config: { profiles: { Patient: profileOf(() => []) } }, mongodb: { uri: database.uri }, logger },
      storage: pathToFileURL(path).href,
    })
    const reason: unknown = await bulkExport.start().then(
      () => 'it started',
      (error: unknown) => error,
    )
    expect(reason).to.be.instanceOf(Error)
    expect(String(reason)).to.include(path)
  })

  it('microsoft/fhir-server#1794, microsoft/fhir-server#647: a kick-off is never accepted that the storage has no room for, and nothing is stored', async () => {
    const host = await startHost(database, {
      resources: PATIENTS,
      options: { storage: pathToFileURL(folder).href },
    })
    try {
      await rm(folder, { recursive: true })
      await writeFile(folder, '')
      for (const path of ['$export', 'Patient/$export']) {
        const answer = await ask(`${host.base}/${path}`)
        expectRefusal(answer, 503, 'no-store')
        expect(Number(answer.headers.get('retry-after'))).to.be.above(0)
        expect(answer.text).not.to.include(folder)
      }
      const unusable = host.log.filter(({ message }) => message === 'storage.unusable')
      expect(unusable, 'looks').to.have.length(1)
      expect(String(unusable[0]?.['error'])).to.include(folder)
      expect(await database.db.collection('bulkexport.jobs').countDocuments()).to.equal(0)
    } finally {
      await host.close()
    }
  })

  it('microsoft/fhir-server#1794: a folder that is lost later on never keeps an export running, and exports go on when it is back [ERR-11]', async () => {
    const options = { storage: pathToFileURL(folder).href }
    const host = await startHost(database, { resources: PATIENTS, options })
    try {
      // It was good a moment ago, so it is not tried again.
      await exportOf(host, '$export')
      await rm(folder, { recursive: true })
      await writeFile(folder, '')
      const statusUrl = await host.client.kickOff('system')
      expect(await host.ended(statusUrl)).to.equal('failed')
      expectRefusal(await ask(statusUrl), 500, 'exception')
      await rm(folder)
      expect((await exportOf(host, '$export')).names).to.have.length(PATIENTS.length)
    } finally {
      await host.close()
    }
  })
})

describe('complaints about kick-offs that take as long as the export', () => {
  const TYPES = ['Patient', 'Observation', 'Condition', 'Encounter', 'Procedure', 'Immunization', 'Claim']
  let gate: Gate
  const test = useHost(useDatabase(), () => {
    gate = new Gate()
    const held = TYPES.map((type) => [type, heldProfile(type, gate)] as const)
    const options = { workers: TYPES.length, minPollInterval: 0 }
    return { resources: [GROUP], profiles: Object.fromEntries(held), options }
  })
  afterEach(() => gate.open())

  for (const path of ['$export', 'Patient/$export', 'Group/g/$export']) {
    it(`medplum/medplum#5856, medplum/medplum#2026: a kick-off for everything never waits for a service: ${path} [KO-01]`, async () => {
      const { host } = test
      // Answered although no service has given anything yet.
      const statusUrl = await kickOff(host, {}, path)
      await gate.reached
      const { status, headers } = await ask(statusUrl)
      expect(status).to.equal(202)
      expect(headers.get('x-progress')).to.match(new RegExp(`of ${TYPES.length + 1} types`))
      gate.open()
      expect(await host.ended(statusUrl)).to.equal('completed')
    })
  }
})
