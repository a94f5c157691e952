import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { childEnvironment } from '../../../config/child-environment.js'
import type { HostProfile, Manifest } from '../../../plugin/index.js'
import { createHostConfig } from '../../../scripts/host/index.js'
import { waitForDocument } from '../../support/change-stream.js'
import { ask as download } from '../../support/download.js'
import { folderOfExport } from '../../support/export-folders.js'
import { startHost, type TestHost, type TestResource } from '../../support/export-host.js'
import { linesOf } from '../../support/manifest-files.js'
import { useDatabase, useSuiteDatabase } from '../../support/mongodb.js'
import {
  ask,
  expectRefusal,
  exported,
  Gate,
  kickOff,
  manifestOf,
  startProtectedHost,
  useOAuthServer,
} from '../../support/protected-host.js'
import { nameOf } from '../../support/provenance.js'

// What users of other servers have complained about. Each test is named after the thread in their tracker.

const idOf = (statusUrl: string) => statusUrl.split('/').at(-1) as string

/** The beginning of a file, over a connection that breaks off. */
async function beginningOf(url: string): Promise<{ readonly bytes: Buffer; readonly tag: string }> {
  const [response] = (await once(request(url).end(), 'response')) as [IncomingMessage]
  const [first] = (await once(response, 'data')) as [Buffer]
  response.destroy()
  const { etag } = response.headers
  expect(first.length).to.be.below(Number(response.headers['content-length']))
  return { bytes: first, tag: String(etag) }
}

describe('complaints about many small files', () => {
  const COUNT = 70
  const ids = Array.from({ length: COUNT }, (_, index) => `p${index}`)
  const note = [{ text: 'x'.repeat(20_000) }]
  const resources: readonly TestResource[] = [
    ...ids.map((id) => ({ resourceType: 'Patient', id })),
    ...ids.map((id) => ({
      ...{ resourceType: 'Observation', id: `o-${id}`, note },
      subject: { reference: `Patient/${id}` },
    })),
    {
      ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
      member: ids.map((id) => ({ entity: { reference: `Patient/${id}` } })),
    },
  ]
  const database = useSuiteDatabase()
  let host: TestHost
  let statusUrl: string
  let manifest: Manifest
  before('export a group', async () => {
    const options = { pageSize: 1, maxFileResources: 30, minPollInterval: 60_000 }
    host = await startHost(database, { resources, options })
    statusUrl = await host.client.kickOff({ group: 'g' })
    manifest = await host.manifest(statusUrl)
  })
  after('close the host', () => host?.close())

  it('smart-on-fhir/bulk-data-client#18: many patients and small pages never make many files: each is filled [OR-03]', async () => {
    expect(manifest.output.map(({ type, count }) => [type, count])).to.deep.equal([
      ...[30, 30, 10].map((count) => ['Patient', count]),
      ['Group', 1],
      ...[30, 30, 10].map((count) => ['Observation', count]),
    ])
    expect(await readdir(await folderOfExport(host.folder, statusUrl))).to.have.length(7)
  })

  it('smart-on-fhir/bulk-data-client#18: a client that comes too often is never left without Retry-After, and never kept from its files [ERR-08]', async () => {
    const polls = await Promise.all(Array.from({ length: 15 }, () => ask(statusUrl)))
    const refused = polls.filter(({ status }) => status !== 200)
    expect(refused).not.to.have.length(0)
    for (const answer of refused) {
      expectRefusal(answer, 429, 'throttled')
      expect(answer.headers.get('retry-after')).to.match(/^[1-9]\d*$/)
    }
    const urls = manifest.output.flatMap(({ url }) => Array.from({ length: 10 }, () => url))
    const files = await Promise.all(urls.map((url) => ask(url)))
    expect(new Set(files.map(({ status }) => status))).to.deep.equal(new Set([200]))
  })

  it('smart-on-fhir/bulk-data-client#23: a download that broke off never has to begin anew [FL-13]', async () => {
    const { url } = manifest.output.at(-3) as { url: string }
    const { bytes, tag } = await beginningOf(url)
    const rest = await download(url, { Range: `bytes=${bytes.length}-`, 'If-Range': tag })
    expect(rest.status).to.equal(206)
    const whole = await download(url)
    expect(Buffer.concat([bytes, rest.bytes]).equals(whole.bytes)).to.equal(true)
  })
})

describe('complaints about who may have files', () => {
  const SCOPE = 'system/*.rs'
  const PATIENT = { resourceType: 'Patient', id: 'p1' }
  const database = useSuiteDatabase()
  const oauth = useOAuthServer(['owner', 'other'])
  let host: TestHost
  before('start a host', async () => {
    host = await startProtectedHost(database, { resources: [PATIENT] })
  })
  after('close the host', () => host?.close())

  it('microsoft/fhir-proxy#79, hapifhir/hapi-fhir#5052, LinuxForHealth/FHIR#2053, cerner/fhir.cerner.com#899: the URL of a file is never enough, and never leads elsewhere: it takes the token of the owner, any of theirs [FL-08 MF-03]', async () => {
    const token = await oauth.token('owner', SCOPE)
    const statusUrl = await kickOff(host, { token })
    const manifest = await manifestOf(host, statusUrl, { token })
    expect(manifest.requiresAccessToken).to.equal(true)
    const [{ url }] = manifest.output as [Manifest['output'][number]]
    expectRefusal(await ask(url), 401, 'login', 'no token')
    for (const kind of ['expired', 'garbage', 'for another audience', 'signed by another key'] as const) {
      expectRefusal(await ask(url, { token: await oauth.badToken(kind, 'owner', SCOPE) }), 401, 'login', kind)
    }
    expectRefusal(await ask(url, { token: await oauth.token('other', SCOPE) }), 404, 'not-found', 'other')
    expectRefusal(await ask(url, { token: await oauth.token('owner', 'system/Group.rs') }), 403, 'forbidden')
    for (const good of [
      token,
      await oauth.token('owner', SCOPE),
      await oauth.token('owner', 'system/Patient.rs'),
    ]) {
      const response = await fetch(url, { headers: { Authorization: `Bearer ${good}` }, redirect: 'manual' })
      expect([response.status, response.headers.get('location')]).to.deep.equal([200, null])
      expect(JSON.parse(await response.text())).to.deep.equal(PATIENT)
      expect(await exported(manifest, { token: good })).to.deep.equal(['Patient/p1'])
    }
  })
})

/** What lines can be broken by, if anything can. */
const STRANGE = ['a\nb', '\r\n', '\u2028\u2029', '}{', '"}\\n{"', 'é€😀', '\u0000\u0085', 'x'.repeat(70_000)]

describe('complaints about lines of several writers', () => {
  const TYPES = ['Basic', 'Condition', 'Device', 'Encounter', 'Flag', 'Goal']
  const COUNT = 30
  const RESOURCES = TYPES.flatMap((resourceType) =>
    Array.from({ length: COUNT }, (_, index): TestResource => {
      const strange = STRANGE[index % STRANGE.length]
      return { resourceType, id: `${resourceType}-${index}`, language: strange, note: [strange] }
    }),
  )
  const database = useDatabase()
  let folder: string
  const hosts: TestHost[] = []
  beforeEach('make a folder', async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  })
  afterEach('close the hosts', async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()))
    await rm(folder, { recursive: true, force: true })
  })

  /** A host whose services wait before the second page of whatever they are asked for first. */
  async function start(gate: Gate, resources: readonly TestResource[]): Promise<TestHost> {
    const { profiles } = createHostConfig({ db: database.db })
    const held = TYPES.map((type) => {
      const profile = profiles[type] as HostProfile
      const service = profile.service as {
        search(args: object, context: { readonly req: { readonly query: object } }): Promise<unknown>
      }
      const search: typeof service.search = async (args, context) => {
        if ('_cursor' in context.req.query) await gate.pass()
        return service.search(args, context)
      }
      return [type, { ...profile, service: { search } }] as const
    })
    const limits = { pageSize: 7, maxFileResources: 12 }
    const options = { ...limits, storage: pathToFileURL(folder).href, workers: 2, lease: 30_000 }
    const host = await startHost(database, { resources, profiles: Object.fromEntries(held), options })
    hosts.push(host)
    return host
  }

  async function expectWholeLines(host: TestHost, statusUrl: string) {
    const { output } = await host.manifest(statusUrl)
    const expected = TYPES.flatMap((type) => [12, 12, 6].map((count) => [type, count]))
    expect(output.map(({ type, count }) => [type, count])).to.deep.equal(expected)
    // Each file: as many lines as it says, each a resource, each with its end.
    const found = await linesOf(output)
    expect(found.map(nameOf).sort()).to.deep.equal(RESOURCES.map(nameOf).sort())
    expect(found).to.have.deep.members(RESOURCES)
    const files = await readdir(await folderOfExport(folder, statusUrl))
    expect(files.sort()).to.deep.equal(output.map(({ url }) => idOf(url)).sort())
  }

  it('synthetichealth/synthea#457: two hosts that write at once never break or glue lines [FL-05]', async () => {
    const gates = [new Gate(), new Gate()]
    const [first, second] = [await start(gates[0] as Gate, RESOURCES), await start(gates[1] as Gate, [])]
    try {
      const statusUrl = await first.client.kickOff('system')
      // Both have begun with a file, and none has ended one.
      await Promise.all(gates.map(({ reached }) => reached))
      for (const gate of gates) gate.open()
      await expectWholeLines(first, statusUrl)
      const done = ({ log }: TestHost) => log.filter(({ message }) => message === 'task.done').length
      expect(done(first) + done(second)).to.equal(TYPES.length)
      expect(Math.min(done(first), done(second))).to.be.above(0)
    } finally {
      for (const gate of gates) gate.open()
    }
  })

  it('synthetichealth/synthea#457, synthetichealth/synthea#1519: two processes that write at once never break or glue lines [FL-05]', async () => {
    const gate = new Gate()
    const host = await start(gate, RESOURCES)
    try {
      const statusUrl = await host.client.kickOff('system')
      await gate.reached
      // This process is in the midst of its files, and the other one begins with all that is left.
      const worker = await startProcess()
      try {
        const tasks = database.db.collection<{ status: string }>('bulkexport.tasks')
        await waitForDocument(tasks, ({ status }) => status === 'done', { timeoutMs: 20_000 })
        expect(host.log.map(({ message }) => message)).not.to.include('task.done')
        gate.open()
        await expectWholeLines(host, statusUrl)
        expect(host.log.filter(({ message }) => message === 'task.done')).not.to.have.length(0)
      } finally {
        await worker.stop()
      }
    } finally {
      gate.open()
    }
  })

  /** One more worker, in a process of its own. */
  async function startProcess() {
    const project = new URL('../../../', import.meta.url).href
    const program = `
      import { MongoClient } from 'mongodb'
      import { createBulkExport } from '${project}plugin/index.ts'
      import { createHostConfig } from '${project}scripts/host/index.ts'
      const { uri, storage, name } = JSON.parse(process.env.WORKER)
      const client = await MongoClient.connect(uri)
      const { profiles } = createHostConfig({ db: client.db(name) })
      const types = ${JSON.stringify(TYPES)}
      const bulkExport = createBulkExport({
        config: { profiles: Object.fromEntries(types.map((type) => [type, profiles[type]])) },
        mongodb: { uri }, storage, workers: 2, pageSize: 7, maxFileResources: 12, writeGrace: 0,
      })
      await bulkExport.start()
      console.log('started')
      process.stdin.once('end', async () => {
        await bulkExport.stop()
        await client.close()
        process.exit(0)
      }).resume()`
    const about = { uri: database.uri, name: database.name, storage: pathToFileURL(folder).href }
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      env: childEnvironment({ WORKER: JSON.stringify(about) }),
    })
    const errors = text(child.stderr)
    const ended = once(child, 'exit')
    const early = ended.then(async () => Promise.reject(new Error(`It ended too early: ${await errors}`)))
    await Promise.race([once(child.stdout, 'data'), early])
    early.catch(() => undefined)
    return {
      async stop() {
        child.stdin.end()
        const [code] = await ended
        expect(code, await errors).to.equal(0)
      },
    }
  }
})

describe('complaints about clients that have to go on after a crash', () => {
  const database = useDatabase()
  const baseUrl = 'https://fhir.example.org'
  const RESOURCES = Array.from({ length: 12 }, (_, index): TestResource => {
    return { resourceType: 'Basic', id: `b${index}`, text: 'x'.repeat(100_000) }
  })
  let folder: string
  const hosts: TestHost[] = []
  beforeEach('make a folder', async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  })
  afterEach('close the hosts', async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()))
    await rm(folder, { recursive: true, force: true })
  })
  async function start(resources: readonly TestResource[]): Promise<TestHost> {
    const options = { baseUrl, storage: pathToFileURL(folder).href, maxFileResources: 5 }
    const host = await startHost(database, { resources, types: ['Basic'], options })
    hosts.push(host)
    return host
  }
  /** Where a public URL is to be had. */
  const at = ({ base }: TestHost, url: string) => url.replace(`${baseUrl}/4_0_0`, base)

  it('ohs-foundation/fhir-data-pipes#1170, smart-on-fhir/cumulus-etl#333: an export never turns into another one: the same files at each poll and after a restart, and a download goes on where it was', async () => {
    const before = await start(RESOURCES)
    const statusUrl = await before.client.kickOff('system')
    expect(statusUrl).to.include(baseUrl)
    expect(await before.ended(statusUrl)).to.equal('completed')
    const manifest = (await ask(at(before, statusUrl))).text
    expect((await ask(at(before, statusUrl))).text).to.equal(manifest)
    const { output } = JSON.parse(manifest) as Manifest
    expect(output).to.have.length(3)
    const files = await Promise.all(output.map(({ url }) => download(at(before, url))))
    const [{ url }] = output as [Manifest['output'][number]]
    const { bytes, tag } = await beginningOf(at(before, url))
    await before.bulkExport.stop()

    const again = await start([{ resourceType: 'Basic', id: 'newer' }])
    for (let poll = 0; poll < 3; poll += 1) {
      expect((await ask(at(again, statusUrl))).text, 'after the restart').to.equal(manifest)
    }
    const headers = { Range: `bytes=${bytes.length}-`, 'If-Range': tag }
    const rest = await download(at(again, url), headers)
    expect(rest.status).to.equal(206)
    expect(Buffer.concat([bytes, rest.bytes]).equals(files[0]?.bytes as Buffer)).to.equal(true)
    for (const [index, file] of files.entries()) {
      const same = await download(at(again, output[index]?.url as string))
      expect(same.bytes.equals(file.bytes)).to.equal(true)
      expect(same.headers.etag).to.equal(file.headers.etag)
    }
    const other = await again.client.kickOff('system')
    expect(idOf(other), 'a new export is another one').not.to.equal(idOf(statusUrl))
  })

  it('smart-on-fhir/cumulus-etl#333: the files of an export never change because of what is written later', async () => {
    const host = await start(RESOURCES.slice(0, 2))
    const statusUrl = await host.client.kickOff('system')
    await host.ended(statusUrl)
    const read = async () => {
      const { output } = JSON.parse((await ask(at(host, statusUrl))).text) as Manifest
      return Promise.all(output.map(async ({ url }) => (await ask(at(host, url))).text))
    }
    const first = await read()
    await database.db.collection('Basic_4_0_0').deleteMany({})
    expect(await read()).to.deep.equal(first)
    expect(
      first
        .join('')
        .split('\n')
        .filter((line) => line !== ''),
    ).to.have.length(2)
  })
})
