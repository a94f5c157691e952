import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { expect } from 'chai'
import type { DeletedResource, DeletedSince } from '../../plugin/index.js'
import { waitForDocument } from '../support/change-stream.js'
import { exportFiles } from '../support/export-folders.js'
import { startHost, type TestHost, useHost } from '../support/export-host.js'
import { deletedNames, deletionsOf, outputNames } from '../support/manifest-files.js'
import { useDatabase, useSuiteDatabase } from '../support/mongodb.js'
import {
  ask,
  expectRefusal,
  Gate,
  kickOff,
  startProtectedHost,
  useOAuthServer,
} from '../support/protected-host.js'

const SINCE = '2024-06-01T00:00:00Z'
const PATIENT = { resourceType: 'Patient', id: 'p1', meta: { lastUpdated: '2024-07-02T00:00:00Z' } }
const SECRET = 'mongodb://user:hunter2@db/ says no'

/** Deleted in the compartment of p1, after SINCE and before any export. */
const deleted = (id: string): DeletedResource => ({ id, deletedAt: new Date('2024-07-01'), patients: ['p1'] })
const numbered = (count: number) => Array.from({ length: count }, (_, index) => deleted(`d${index}`))
const namesOf = (all: readonly DeletedResource[]) => all.map(({ id }) => `Patient/${id}`).sort()

async function* oneByOne(all: readonly DeletedResource[]) {
  for (const each of all) {
    await null
    yield each
  }
}

describe('the hook deletedSince', () => {
  const database = useDatabase()
  let hook: DeletedSince
  const gates: Gate[] = []
  const test = useHost(database, () => ({
    ...{ resources: [PATIENT], types: ['Observation'] },
    options: {
      ...{ workers: 1, maxFileResources: 3, compressFiles: true, deletedSince: (...args) => hook(...args) },
      authorize: async () => ({ clientId: 'me', user: { name: 'Ann' }, types: 'all' }),
    },
  }))
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.open()
  })
  const newGate = () => {
    const gate = new Gate()
    gates.push(gate)
    return gate
  }
  const kickOffPatients = () => test.host.client.kickOff('system', { _since: SINCE, _type: 'Patient' })

  it('is asked once for each type, with the times, the version and the user of the export', async () => {
    const calls: unknown[] = []
    hook = (type, since, until, { version, user, signal }) => {
      calls.push([type, since.toISOString(), until.toISOString(), version, user, signal.aborted])
      return []
    }
    const manifest = await test.host.manifest(await test.host.client.kickOff('system', { _since: SINCE }))
    const common = [new Date(SINCE).toISOString(), manifest.transactionTime, '4_0_0', { name: 'Ann' }, false]
    expect(calls).to.deep.equal(['Observation', 'Patient'].map((type) => [type, ...common]))
    expect(manifest.deleted).to.deep.equal([])
  })

  const lists: Readonly<Record<string, (all: readonly DeletedResource[]) => ReturnType<DeletedSince>>> = {
    'a list': (all) => all,
    'a set': (all) => new Set(all),
    'an iterator': (all) => all.values(),
    'an async iterable': oneByOne,
    'a promise of a list': async (all) => all,
    'a promise of an async iterable': async (all) => oneByOne(all),
  }
  for (const [what, listOf] of Object.entries(lists)) {
    it(`may give ${what} [FL-31]`, async () => {
      const all = numbered(120)
      hook = () => listOf(all)
      const manifest = await test.host.manifest(await kickOffPatients())
      expect(await deletedNames(manifest)).to.deep.equal(namesOf(all))
      expect(await outputNames(manifest)).to.deep.equal(['Patient/p1'])
    })
  }

  it('may name the same id again and again; it is told once [FL-31]', async () => {
    const all = numbered(150)
    hook = () => [...all, ...all, ...all.map((each) => ({ ...each, deletedAt: new Date('2024-08-01') }))]
    const manifest = await test.host.manifest(await kickOffPatients())
    expect((await deletionsOf(manifest)).map((line) => line.length)).to.deep.equal([100, 50])
    expect(await deletedNames(manifest)).to.deep.equal(namesOf(all))
  })

  it('may name an id of another time first; the one that counts is told [FL-31]', async () => {
    const early = { ...deleted('d'), deletedAt: new Date('2024-05-01') }
    const late = { ...deleted('d'), deletedAt: new Date('2999-01-01') }
    hook = () => [early, late, deleted('d')]
    expect(await deletedNames(await test.host.manifest(await kickOffPatients()))).to.deep.equal(['Patient/d'])
  })

  it('may name what is there: that is in the output only [FL-32]', async () => {
    hook = () => [deleted('p1'), deleted('d')]
    const manifest = await test.host.manifest(await kickOffPatients())
    expect(await outputNames(manifest)).to.deep.equal(['Patient/p1'])
    expect(await deletedNames(manifest)).to.deep.equal(['Patient/d'])
  })

  it('may give 2,000, which come in several full files, each of them once [FL-30 FL-31]', async () => {
    const all = numbered(2000)
    hook = () => oneByOne(all)
    const manifest = await test.host.manifest(await kickOffPatients())
    expect(manifest.deleted.map(({ count }) => count)).to.deep.equal([3, 3, 3, 3, 3, 3, 2])
    expect(new Set(manifest.deleted.map(({ url }) => url)).size).to.equal(7)
    expect((await deletionsOf(manifest)).map((line) => line.length)).to.deep.equal(Array(20).fill(100))
    const plain = { 'Accept-Encoding': 'identity' }
    expect(await deletedNames(manifest, plain)).to.deep.equal(namesOf(all))
  })

  it('may take longer than a lease', async () => {
    const gate = newGate()
    hook = async () => {
      await gate.pass()
      return [deleted('d')]
    }
    const statusUrl = await kickOffPatients()
    await gate.reached
    const tasks = database.db.collection<{ kind: string; attempt: number; leaseUntil?: Date }>(
      'bulkexport.tasks',
    )
    const task = await tasks.findOne({ kind: 'deleted' })
    const first = task?.leaseUntil?.getTime() ?? Number.NaN
    await waitForDocument(tasks, (each) => Number(each.leaseUntil?.getTime()) > first + 1500)
    gate.open()
    expect(await deletedNames(await test.host.manifest(statusUrl))).to.deep.equal(['Patient/d'])
    expect((await tasks.findOne({ kind: 'deleted' }))?.attempt).to.equal(task?.attempt)
  })

  const good = deleted('d')
  const garbage: readonly unknown[] = [
    ...[[null], [undefined], ['d'], [7], [[]], [{}], undefined, null, 7, {}, [good, good, {}]],
    ...[{ id: 7 }, { id: '' }, { id: 'Patient/d' }, { id: 'a b' }, { id: 'x'.repeat(65) }, { id: 'd\n' }]
      .concat([{ id: undefined as unknown as string }])
      .map((wrong) => [{ ...good, ...wrong }]),
    ...[{ deletedAt: '2024-07-01T00:00:00Z' }, { deletedAt: 1 }, { deletedAt: new Date(Number.NaN) }].map(
      (wrong) => [{ ...good, ...wrong }],
    ),
    ...[{ patients: undefined }, { patients: 'p1' }, { patients: ['Patient/p1'] }, { patients: [null] }].map(
      (wrong) => [{ ...good, ...wrong }],
    ),
  ]
  for (const [index, given] of garbage.entries()) {
    it(`fails the export when it gives ${inspect(given, { breakLength: Number.POSITIVE_INFINITY })} (${index})`, async () => {
      hook = () => given as readonly DeletedResource[]
      const statusUrl = await kickOffPatients()
      expect(await test.host.ended(statusUrl)).to.equal('failed')
      const says = expectRefusal(await ask(statusUrl), 500, 'exception')
      if (Array.isArray(given)) expect(says).to.match(/deletedSince/)
      await test.host.bulkExport.stop()
      expect(await readdir(test.host.folder)).to.deep.equal([])
    })
  }

  const failures: Readonly<Record<string, DeletedSince>> = {
    'throws at once': () => {
      throw new Error(SECRET)
    },
    'gives a promise that rejects': () => Promise.reject(new Error(SECRET)),
    async *'throws on the way'() {
      yield* numbered(350)
      throw new Error(SECRET)
    },
  }
  for (const [what, failing] of Object.entries(failures)) {
    it(`fails the export without a word of why when it ${what}`, async () => {
      hook = failing
      const statusUrl = await kickOffPatients()
      expect(await test.host.ended(statusUrl)).to.equal('failed')
      const answer = await ask(statusUrl)
      expectRefusal(answer, 500, 'exception')
      expect(answer.text + JSON.stringify([...answer.headers])).not.to.match(/hunter2|says no/)
      await test.host.bulkExport.stop()
      expect(await readdir(test.host.folder)).to.deep.equal([])
    })
  }

  const hanging: Readonly<Record<string, (gate: Gate) => DeletedSince>> = {
    answers: (gate) => async () => {
      await gate.pass()
      return []
    },
    'goes on': (gate) =>
      async function* () {
        yield deleted('d')
        await gate.pass()
      },
  }
  for (const [what, hangingOn] of Object.entries(hanging)) {
    it(`that never ${what} keeps no worker from other exports once its own is deleted`, async () => {
      const { host } = test
      const gate = newGate()
      hook = hangingOn(gate)
      const statusUrl = await kickOffPatients()
      await gate.reached
      await host.client.remove(statusUrl)
      // The only worker.
      const other = await host.client.kickOff('system')
      expect(await outputNames(await host.manifest(other))).to.deep.equal(['Patient/p1'])
    })
  }
})

describe('deletions that are under way', () => {
  const database = useDatabase()
  const hosts: TestHost[] = []
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  })
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('are gone on with by another worker, with none lost and none twice [FL-31]', async () => {
    const all = numbered(730)
    const gate = new Gate()
    const open = async (deletedSince: DeletedSince) => {
      const storage = pathToFileURL(folder).href
      const options = { deletedSince, storage, workers: 1, maxFileResources: 2 }
      const host = await startHost(database, { types: ['Patient'], options })
      hosts.push(host)
      return host
    }
    const first = await open(async function* () {
      yield* all.slice(0, 650)
      await gate.pass()
    })
    const statusUrl = await first.client.kickOff('system', { _since: SINCE })
    await gate.reached
    expect(await exportFiles(folder)).to.include(`${statusUrl.split('/').at(-1)}/deleted-2.ndjson`)
    // In another order, as nobody said that there is one.
    const second = await open(() => oneByOne(all.toReversed()))
    try {
      const stopped = first.bulkExport.stop()
      gate.open()
      await stopped
    } finally {
      gate.open()
    }
    const manifest = await second.manifest(statusUrl.replace(first.base, second.base))
    expect((await deletionsOf(manifest)).map((line) => line.length)).to.deep.equal([
      ...Array(7).fill(100),
      30,
    ])
    expect(await deletedNames(manifest)).to.deep.equal(namesOf(all))
    const files = (await exportFiles(folder)).filter((name) => name.endsWith('.ndjson'))
    expect(files.sort()).to.deep.equal(
      manifest.deleted.map(({ url }) => url.split('/').slice(-2).join('/')).sort(),
    )
  })
})

describe('files of deletions and a token', () => {
  const database = useSuiteDatabase()
  const oauth = useOAuthServer(['client', 'other'])
  let host: TestHost
  before('start a host', async () => {
    const deletedSince: DeletedSince = () => [deleted('d')]
    const types = ['Observation', 'Patient']
    host = await startProtectedHost(database, { types, resources: [PATIENT], options: { deletedSince } })
  })
  after('close the host', () => host?.close())
  const tokenFor = (scope: string, client = 'client') => oauth.token(client, scope)

  it('that does not cover all types of the export: 403; of another client: 404', async () => {
    const all = { token: await tokenFor('system/Patient.rs system/Observation.rs') }
    const statusUrl = await kickOff(host, all, `$export?_since=${SINCE}`)
    await host.ended(statusUrl)
    const { deleted: files, output } = JSON.parse((await ask(statusUrl, all)).text)
    const url = String(files[0].url)
    expect((await ask(url, all)).text.match(/"(Patient|Observation)\/d"/g)).to.have.length(2)
    for (const scope of ['system/Patient.rs', 'system/Observation.rs', 'system/Patient.rs system/Group.rs']) {
      const narrow = { token: await tokenFor(scope) }
      for (const method of ['GET', 'HEAD']) {
        expect((await ask(url, { ...narrow, method })).status, scope).to.equal(403)
      }
    }
    expect((await ask(output[0].url, { token: await tokenFor('system/Patient.rs') })).status).to.equal(200)
    const stranger = { token: await tokenFor('system/*.rs', 'other') }
    expectRefusal(await ask(url, stranger), 404, 'not-found')
    expectRefusal(await ask(url), 401, 'login')
  })

  it('that covers some types when the export begins: theirs alone are told [FL-33]', async () => {
    const asked = { token: await tokenFor('system/Patient.rs') }
    const statusUrl = await kickOff(host, asked, `$export?_since=${SINCE}`)
    await host.ended(statusUrl)
    const manifest = JSON.parse((await ask(statusUrl, asked)).text)
    const headers = { Authorization: `Bearer ${asked.token}` }
    expect(await deletedNames(manifest, headers)).to.deep.equal(['Patient/d'])
  })
})
