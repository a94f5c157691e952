import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { expect } from 'chai'
import express from 'express'
import type { OperationOutcome, OperationOutcomeIssue } from 'fhir/r4.js'
import { MongoClient } from 'mongodb'
import { readSettings } from '../../config/settings.js'
import {
  type BulkExport,
  type BulkExportOptions,
  createBulkExport,
  type HostProfile,
} from '../../plugin/index.js'
import type { Level } from '../../scripts/client/bulk-client.js'
import { openMongoDB } from '../../scripts/mongod/index.js'
import { waitForDocument } from '../support/change-stream.js'
import { exportFiles } from '../support/export-folders.js'
import { startHost, type TestHost, type TestResource, useHost } from '../support/export-host.js'
import { createTestLogger } from '../support/logger.js'
import { useDatabase } from '../support/mongodb.js'

/** What a search service does with the number of the page that it is asked for. */
type Answer = (page: number) => unknown

const SECRET = 'mongodb://user:hunter2@db/ says no'
const PARAMETERS = '{"resourceType":"Parameters"}'
const PATIENTS = ['p1', 'p2', 'p3'].map((id): TestResource => ({ resourceType: 'Patient', id }))
const OBSERVATIONS = ['p1', 'p2', 'p3', 'p1'].map((patient, index): TestResource => {
  return { resourceType: 'Observation', id: `o${index}`, subject: { reference: `Patient/${patient}` } }
})
const MEMBER = { entity: { reference: 'Patient/p1' } }
const GROUP: TestResource = { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: [MEMBER] }

describe('a search service', () => {
  const database = useDatabase()
  let answer: Answer
  const profile = profileOf((page) => answer(page))
  const profiles = { Observation: profile, Group: profile }
  const test = useHost(database, () => ({ resources: PATIENTS, profiles, options: { maxFileResources: 1 } }))
  afterEach('let the searches end', () => {
    answer = () => []
  })

  const reasons = {
    'an error': new Error(SECRET),
    'an error with a cause': new Error('no', { cause: new Error(SECRET) }),
    'an OperationOutcome': { resourceType: 'OperationOutcome', issue: [{ diagnostics: SECRET }] },
    'a string': SECRET,
  }
  for (const [what, reason] of Object.entries(reasons)) {
    for (const isAsync of [true, false]) {
      it(`that ${isAsync ? 'rejects with' : 'throws'} ${what} fails its job alone, and only the log says why [ST-07 ST-08 ST-09 ERR-11]`, async () => {
        const { host } = test
        const fail = () => {
          if (isAsync) return Promise.reject(reason)
          throw reason
        }
        answer = (page) => (page === 0 ? pageOf(OBSERVATIONS.slice(0, 1), 1) : fail())
        const statusUrl = await host.client.kickOff('system', { _type: 'Patient,Observation' })
        const other = await host.client.kickOff('system', { _type: 'Patient' })
        expect(await endOf(statusUrl)).to.equal('failed')
        const { status, text, diagnostics } = await ask(statusUrl)
        expect([status, text.includes('hunter2')]).to.deep.equal([500, false])
        expect(diagnostics).to.match(/\bObservation\b/)
        expect(inspect(host.log, { depth: 9 })).to.include('@db/ says no')
        expect((await ask(`${statusUrl}/Observation-1.ndjson`)).status).to.equal(404)
        expect((await host.manifest(other)).output).to.have.length(3)
        await host.client.remove(other)
        await host.bulkExport.stop()
        expect((await readdir(host.folder, { recursive: true })).join(), 'files').not.to.include('.')
      })
    }
  }

  const one = (page: number) => OBSERVATIONS.slice(page, page + 1)
  const endless: readonly (readonly [what: string, answer: Answer])[] = [
    ['the same page by the same link', () => pageOf(OBSERVATIONS, 0)],
    ['the same page by ever new links', (page) => pageOf(OBSERVATIONS, page + 1)],
    ['empty pages', (page) => pageOf([], page + 1)],
    ['the same two pages in turn', (page) => pageOf(one(page % 2), page + 1)],
    ['a link in a circle', (page) => pageOf(one(page), (page + 1) % 3)],
    ['a bare link', () => ({ ...pageOf(OBSERVATIONS), link: [{ relation: 'next', url: '/' }] })],
  ]
  for (const [what, endlessAnswer] of endless) {
    it(`that gives ${what} for ever fails the job`, async () => {
      answer = endlessAnswer
      const statusUrl = await test.host.client.kickOff('system', { _type: 'Observation' })
      expect(await endOf(statusUrl)).to.equal('failed')
      expect((await ask(statusUrl)).diagnostics).to.match(/\bObservation\b/)
    })
  }

  it('that cannot reach its database for a moment costs time, not the export', async () => {
    let failures = 2
    answer = () => {
      if (failures-- === 0) return OBSERVATIONS
      throw Object.assign(new Error('connection closed'), { name: 'MongoNetworkError' })
    }
    const statusUrl = await test.host.client.kickOff('system', { _type: 'Observation' })
    expect(await endOf(statusUrl)).to.equal('completed')
  })

  it('of groups that pages for ever does not keep a kick-off waiting', async () => {
    answer = (page) => pageOf([{ ...GROUP, id: `g${page % 2}` }], page + 1)
    expect((await ask(`${test.host.base}/Group/g/$export`)).status).to.be.at.least(400)
  })

  for (const given of [null, undefined, [], {}, 'nothing', 42, pageOf(PATIENTS)]) {
    it(`that gives ${JSON.stringify(given)?.slice(0, 50)} has nothing to export, or fails the job`, async () => {
      answer = () => given
      const statusUrl = await test.host.client.kickOff('system', { _type: 'Observation' })
      if ((await endOf(statusUrl)) === 'completed') {
        expect((await test.host.manifest(statusUrl)).output).to.deep.equal([])
      } else expect((await ask(statusUrl)).diagnostics).to.include('Observation')
    })
  }

  async function endOf(statusUrl: string): Promise<string> {
    const jobs = database.db.collection<{ _id: string; status: string }>('bulkexport.jobs')
    const hasEnded = (job: { _id: string; status: string }) =>
      statusUrl.endsWith(job._id) && ['failed', 'completed'].includes(job.status)
    return (await waitForDocument(jobs, hasEnded)).status
  }
})

describe('search services that know no parameters', () => {
  const old = { ...OBSERVATIONS[0], id: 'old', meta: { lastUpdated: '2001-01-01T00:00:00Z' } } as TestResource
  const future = { ...old, id: 'future', meta: { lastUpdated: '2999-01-01T00:00:00Z' } }
  const organization = { resourceType: 'Organization', id: 'org' }
  const all = [...PATIENTS, ...OBSERVATIONS, old, future, organization, GROUP]
  const profiles = Object.fromEntries(all.map(({ resourceType }) => [resourceType, profileOf(() => all)]))
  const test = useHost(useDatabase(), () => ({ profiles }))

  const since = { _since: '2010-01-01T00:00:00Z' }
  const p1 = [...PATIENTS.slice(0, 1), ...OBSERVATIONS.filter((_, index) => index % 3 === 0), GROUP]
  const expected: readonly (readonly [Level, Record<string, string>, readonly TestResource[]])[] = [
    ['system', {}, [...PATIENTS, ...OBSERVATIONS, old, organization, GROUP]],
    ['system', since, [...PATIENTS, ...OBSERVATIONS, organization, GROUP]],
    ['patient', {}, [...PATIENTS, ...OBSERVATIONS, old, GROUP]],
    [{ group: 'g' }, {}, [...p1, old]],
    [{ group: 'g' }, since, p1],
  ]
  for (const [level, parameters, resources] of expected) {
    it(`make no difference for ${JSON.stringify([level, parameters])} [MF-05 FL-06]`, async () => {
      const manifest = await test.host.manifest(await test.host.client.kickOff(level, parameters))
      const found = await test.host.resources(manifest)
      expect([...found.values()].flat()).to.have.deep.members([...resources])
      const types = [...found].flatMap(([type, all]) => all.map(({ resourceType }) => resourceType === type))
      expect(types).not.to.include(false)
    })
  }
})

describe('start()', () => {
  const database = useDatabase()
  const servers: Server[] = []
  const folder = useFolder()
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })
  const { logger, records } = createTestLogger()
  const create = (options: Partial<BulkExportOptions> = {}) =>
    createBulkExport({
      ...{ config: { profiles: { Patient: profileOf(() => []) } }, mongodb: { uri: database.uri } },
      ...{ storage: pathToFileURL(folder.path).href, logger },
      ...options,
    })
  /** Serves nothing but the router; gives the base URL. */
  async function serve({ router }: BulkExport): Promise<string> {
    const server = express().use(router).listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/4_0_0`
  }

  it('refuses by its name a folder that cannot be written', async () => {
    await writeFile(join(folder.path, 'file'), '')
    const path = join(folder.path, 'file', 'exports')
    const reason = await reasonOf(create({ storage: pathToFileURL(path).href }).start())
    expect(String(reason)).to.include(path)
  })

  for (const host of ['127.0.0.1:1', 'no.such.host.invalid']) {
    it(`refuses the database of ${host} within seconds, without telling the password`, async () => {
      const begin = Date.now()
      const mongodb = { uri: `mongodb://user:hunter2@${host}/fhir` }
      const reason = await reasonOf(create({ mongodb }).start())
      expect(Date.now() - begin).to.be.below(7000)
      expect(String(reason)).to.match(/MongoDB/)
      expect(inspect(reason, { depth: 9 })).not.to.include('hunter2')
    })
  }

  it('has requests answered 503 before it and after stop() [ST-10]', async () => {
    const bulkExport = create()
    const base = await serve(bulkExport)
    await expectUnavailable(base)
    await bulkExport.start()
    expect((await fetch(`${base}/$export`)).status).to.equal(202)
    await bulkExport.stop()
    await expectUnavailable(base)
  })

  it('may be called twice at once, and stop() at any time', async () => {
    const bulkExport = create()
    await bulkExport.stop()
    const begin = records.length
    await Promise.all([bulkExport.start(), bulkExport.start()])
    await bulkExport.start()
    await Promise.all([bulkExport.stop(), bulkExport.stop()])
    expect(records.slice(begin).filter(({ message }) => message === 'queue.started')).to.have.length(1)
  })

  it('survives the loss of the database: all is answered 503 in time, and stop() ends [ST-10 ERR-12]', async function () {
    this.timeout(120_000)
    const { mongodbUri: _other, ...settings } = readSettings()
    const mongodb = await openMongoDB({ settings, logger })
    const client = await MongoClient.connect(mongodb.uri, { serverSelectionTimeoutMS: 2000 })
    const Group = profileOf(() => client.db('fhir').collection('Group').find().toArray())
    const config = { profiles: { Patient: profileOf(() => PATIENTS), Group } }
    const bulkExport = create({ config, mongodb: { uri: mongodb.uri, database: 'fhir' } })
    const base = await serve(bulkExport)
    await bulkExport.start()
    try {
      expect((await fetch(`${base}/$export`)).status).to.equal(202)
      await mongodb.stop()
      await expectUnavailable(base)
      const begin = Date.now()
      await bulkExport.stop()
      expect(Date.now() - begin).to.be.below(20_000)
    } finally {
      await Promise.allSettled([bulkExport.stop(), client.close(), mongodb.stop()])
    }
  })
})

describe('the options', () => {
  const mongodb = { uri: 'mongodb://127.0.0.1/fhir' }
  const good: BulkExportOptions = { config: { profiles: {} }, mongodb, storage: 'file:///tmp/exports' }
  const values: Readonly<Record<string, readonly unknown[]>> = {
    config: [undefined, null, {}, 'config.js'],
    mongodb: [undefined, {}, 'mongodb://h', { uri: 'postgres://h' }, { uri: 'mongodb://h', url: 'x' }],
    storage: [undefined, '/tmp/exports', 's3://bucket', 'file://exports', {}, { write() {} }],
    baseUrl: ['example.org', 'ftp://example.org', 5],
    ...{ levels: ['system', ['everything'], [1]], searchConcurrency: [0, 1.5, '4'] },
    ...{ strictHeaders: ['yes'], logger: ['yes', {}], bseUrl: ['https://example.org'] },
    ...{ workers: [-1, 1.5, Number.NaN, '2'], writeGrace: [-1], lease: [0, '30s'], maxBodyBytes: [0] },
    ...{ maxFileResources: [0, '5'], maxFileBytes: [0, Number.POSITIVE_INFINITY], pageSize: [0, 1.5, '9'] },
  }
  const wrong = Object.entries(values).flatMap(([name, all]) => all.map((value) => [name, value] as const))
  for (const [name, value] of wrong) {
    const options = { ...good, [name]: value } as BulkExportOptions
    it(`${name}: ${inspect(value)} is refused by name`, () =>
      expect(() => createBulkExport(options)).to.throw(Error, name))
  }

  it('that are wrong are told all at once', () => {
    const options = { ...good, ...Object.fromEntries(wrong) } as BulkExportOptions
    for (const [name] of wrong) expect(() => createBulkExport(options)).to.throw(Error, name)
  })
})

describe('two hosts on one database and folder', () => {
  const database = useDatabase()
  const types = ['Basic', 'Condition', 'Device', 'Encounter', 'Goal', 'Flag']
  const hosts: TestHost[] = []
  afterEach(() => Promise.all(hosts.splice(0).map((host) => host.close())))
  const folder = useFolder()

  /** Serves five resources of each type, one a page; `before` each page may wait. */
  async function open(before: (page: number) => unknown): Promise<TestHost> {
    const answerOf = (resourceType: string) => async (page: number) => {
      await before(page)
      return pageOf([{ resourceType, id: `${resourceType}-${page}` }], page < 4 ? page + 1 : undefined)
    }
    const profiles = types.map((type) => [type, profileOf(answerOf(type))] as const)
    const storage = pathToFileURL(folder.path).href
    const options = { storage, workers: 1, maxFileResources: 2 }
    const host = await startHost(database, { profiles: Object.fromEntries(profiles), options })
    hosts.push(host)
    return host
  }

  /** Each resource once, each file listed once, and no other file there. */
  async function expectComplete(host: TestHost, statusUrl: string) {
    const manifest = await host.manifest(statusUrl)
    const found = [...(await host.resources(manifest)).values()].flat().map(({ id }) => id)
    const expected = types.flatMap((type) => [0, 1, 2, 3, 4].map((page) => `${type}-${page}`))
    expect(found.sort()).to.deep.equal(expected.sort())
    const names = manifest.output.map(({ url }) => url.split('/').slice(-2).join('/'))
    const files = (await exportFiles(folder.path)).filter((name) => name.endsWith('.ndjson'))
    expect(files.sort()).to.deep.equal(names.sort())
  }

  it('share the tasks of an export', async () => {
    const asked = new Set<string>()
    const everybody = new Gate()
    const pass = (name: string) => () => {
      if (asked.add(name).size === 2) everybody.open()
      return everybody.opened
    }
    const [first, second] = [await open(pass('first')), await open(pass('second'))]
    const statusUrl = await first.client.kickOff('system')
    await expectComplete(second, statusUrl.replace(first.base, second.base))
    const done = [first, second].map(({ log }) => log.filter(({ message }) => message === 'task.done').length)
    expect(Math.min(...done)).to.be.above(0)
    expect(done.reduce((sum, number) => sum + number)).to.equal(types.length)
  })

  for (const comesBack of [true, false]) {
    it(`hand over: one stops, the other completes; a search that ${comesBack ? 'still' : 'never'} answers`, async () => {
      const [reached, held] = [new Gate(), new Gate()]
      const first = await open((page) => {
        if (page === 3) reached.open()
        return page < 3 ? undefined : held.opened
      })
      const statusUrl = await first.client.kickOff('system')
      await reached.opened
      const second = await open(() => undefined)
      try {
        const stopped = first.bulkExport.stop()
        if (comesBack) held.open()
        await stopped
        await expectComplete(second, statusUrl.replace(first.base, second.base))
        expect(first.log.map(({ message }) => message)).to.include('task.handed-back')
      } finally {
        held.open()
      }
    })
  }
})

/** A folder for each test of a `describe`. */
function useFolder(): { path: string } {
  const folder = { path: '' }
  beforeEach('make a folder', async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  })
  afterEach('remove the folder', () => rm(folder.path, { recursive: true, force: true }))
  return folder
}

class Gate {
  open: () => void = () => {}
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve
  })
}

/** A service that knows no parameters but `page`, which its own links have. */
function profileOf(answer: Answer): HostProfile {
  const search = async (_args: object, { req }: { readonly req: unknown }) => {
    // Lets the event loop turn, as a real service does.
    await turn()
    return answer(Number((req as { query: Record<string, string> }).query['page'] ?? 0))
  }
  return { service: { search }, versions: ['4_0_0'] }
}

function pageOf(resources: readonly TestResource[], next?: number): object {
  const link = next === undefined ? [] : [{ relation: 'next', url: `http://example.org/any?page=${next}` }]
  return { resourceType: 'Bundle', link, entry: resources.map((resource) => ({ resource })) }
}

async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  const [result] = await Promise.allSettled([promise])
  return result.status === 'rejected' ? result.reason : expect.fail('it succeeded')
}

/** Asks for something that is answered with an OperationOutcome. */
async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(8000) })
  expect(response.headers.get('content-type')).to.equal('application/fhir+json')
  const text = await response.text()
  const { resourceType, issue } = JSON.parse(text) as OperationOutcome
  expect(resourceType).to.equal('OperationOutcome')
  return { status: response.status, headers: response.headers, text, ...(issue[0] as OperationOutcomeIssue) }
}

async function expectUnavailable(base: string) {
  const job = `${base}/$export/${'0'.repeat(32)}`
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: PARAMETERS }
  const kickOffs = ['$export', 'Patient/$export', 'Group/g/$export'].map((path) => `${base}/${path}`)
  const answers = await Promise.all([
    ...[...kickOffs, job, `${job}/Patient-1.ndjson`].map((url) => ask(url)),
    ...kickOffs.map((url) => ask(url, post)),
    ask(job, { method: 'DELETE' }),
  ])
  for (const { status, headers, code } of answers) {
    expect([status, code]).to.deep.equal([503, 'transient'])
    expect(headers.get('retry-after')).to.match(/^[1-9]\d*$/)
  }
}
