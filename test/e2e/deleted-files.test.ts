import { readdir } from 'node:fs/promises'
import { expect } from 'chai'
import type { DeletedSince } from '../../plugin/index.js'
import { deletedSince } from '../../scripts/host/index.js'
import { tombstonesOf } from '../../scripts/host/tombstone.js'
import { type TestHost, type TestResource, useHost } from '../support/export-host.js'
import {
  deletedNames,
  deletionsOf,
  outputNames,
  pastInstant,
  put,
  remove,
} from '../support/manifest-files.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'
import { type Pair, send } from '../support/provenance.js'

const OLD = { lastUpdated: '2024-01-01T00:00:00Z' }
const of = (patient: string) => ({ reference: `Patient/${patient}` })
const patient = (id: string): TestResource => ({ resourceType: 'Patient', id, meta: OLD })
const observation = (id: string, elements: object = {}): TestResource => ({
  ...{ resourceType: 'Observation', id, meta: OLD, status: 'final', code: { text: 'x' } },
  ...elements,
})
const group = (id: string, ...members: string[]): TestResource => ({
  ...{ resourceType: 'Group', id, meta: OLD, type: 'person', actual: true },
  member: members.map((each) => ({ entity: of(each) })),
})
const RESOURCES = [
  ...['a', 'b', 'c'].map(patient),
  group('g', 'a', 'b'),
  ...['oa', 'oa2'].map((id) => observation(id, { subject: of('a') })),
  observation('ob', { subject: of('b') }),
  observation('oc', { subject: of('c') }),
  observation('oac', { subject: of('c'), performer: [of('a')] }),
  ...['nobody', 'nobody2'].map((id) => observation(id)),
  { resourceType: 'Organization', id: 'org', meta: OLD },
  { resourceType: 'Condition', id: 'ca', meta: OLD, subject: of('a') },
]
/** A client that has asked before; everything else was there before that. */
const SINCE = '2024-06-01T00:00:00Z'
const HOUR = 3_600_000

async function exportAt(host: TestHost, path: string, ...pairs: readonly Pair[]) {
  const isPost = pairs.some(([name]) => name === 'patient')
  const response = await send(host, path, { pairs, way: isPost ? 'POST' : 'GET' })
  expect(response.status, await response.text()).to.equal(202)
  return host.manifest(String(response.headers.get('content-location')))
}

describe('what was deleted on a host that tells', () => {
  const database = useDatabase()
  const gates: Gate[] = []
  let hook: DeletedSince
  const test = useHost(database, () => {
    hook = deletedSince(database.db)
    return { resources: RESOURCES, options: { deletedSince: (...args) => hook(...args) } }
  })
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.open()
  })
  /** The hook of the host, once the gate is open. */
  const heldHook = (held: DeletedSince = deletedSince(database.db)) => {
    const gate = new Gate()
    gates.push(gate)
    hook = async function* (...args) {
      await gate.pass()
      yield* (await held(...args)) as AsyncIterable<never>
    }
    return gate
  }
  /** A hook that gives all there is, whatever it was asked for. */
  const generous: DeletedSince = (type, _since, _until, context) =>
    deletedSince(database.db)(type, new Date(0), new Date(Date.now() + HOUR), context)
  const stampOf = async (type: string, id: string) =>
    (await tombstonesOf(database.db, type).findOne({ _id: id }))?.deletedAt as Date
  const since = (time: string | Date): Pair => ['_since', new Date(time).toISOString()]
  const until = (time: Date): Pair => ['_until', time.toISOString()]

  it('is told with _since as transactions of DELETE requests, apart from the output [FL-30 FL-31 MF-12]', async () => {
    const { host } = test
    await remove(host, 'Observation/oa', 'Patient/c', 'Organization/org')
    await put(host, observation('new', { subject: of('a') }))
    const manifest = await exportAt(host, '$export', since(SINCE))
    expect(manifest.deleted).to.deep.equal([{ type: 'Bundle', url: manifest.deleted[0]?.url, count: 1 }])
    expect(await deletedNames(manifest)).to.deep.equal(['Observation/oa', 'Organization/org', 'Patient/c'])
    expect(await outputNames(manifest)).to.deep.equal(['Observation/new'])
    expect(manifest.error).to.deep.equal([])
  })

  it('is not told without _since, and there are no files when nothing was deleted [EE-02]', async () => {
    const { host } = test
    expect((await exportAt(host, '$export', since(SINCE))).deleted).to.deep.equal([])
    await remove(host, 'Observation/oa')
    for (const path of ['$export', 'Patient/$export', 'Group/g/$export']) {
      expect((await exportAt(host, path)).deleted, path).to.deep.equal([])
    }
  })

  it('comes a hundred to a line, over all types [FL-30]', async () => {
    const { host } = test
    const names = Array.from(
      { length: 250 },
      (_, index) => `${index % 2 ? 'Condition' : 'Observation'}/d${index}`,
    )
    const write = async (name: string) => {
      const [resourceType, id] = name.split('/')
      await put(host, { resourceType, id, subject: of('a') })
      await remove(host, name)
    }
    for (let index = 0; index < names.length; index += 25) {
      await Promise.all(names.slice(index, index + 25).map(write))
    }
    const manifest = await exportAt(host, '$export', since(SINCE))
    expect(manifest.deleted.map(({ count }) => count)).to.deep.equal([3])
    const lines = await deletionsOf(manifest)
    expect(lines.map((line) => line.length)).to.deep.equal([100, 100, 50])
    expect(lines.flat().sort()).to.deep.equal(names.sort())
  })

  it('is told of the types that were asked for [FL-33]', async () => {
    const { host } = test
    await remove(host, 'Observation/oa', 'Patient/c', 'Condition/ca', 'Organization/org')
    const told = async (...types: string[]) =>
      deletedNames(await exportAt(host, '$export', ['_type', types.join()], since(SINCE)))
    expect(await told('Observation')).to.deep.equal(['Observation/oa'])
    expect(await told('Patient', 'Condition')).to.deep.equal(['Condition/ca', 'Patient/c'])
    expect(await told('Group')).to.deep.equal([])
  })

  it('is told at patient and group level as far as it was in a compartment of theirs [FL-33]', async () => {
    const { host } = test
    await remove(host, 'Observation/oa', 'Observation/oc', 'Observation/oac', 'Observation/nobody')
    await remove(host, 'Patient/b', 'Patient/c', 'Organization/org', 'Condition/ca')
    const told = async (path: string, ...pairs: readonly Pair[]) =>
      deletedNames(await exportAt(host, path, since(SINCE), ...pairs))
    const ofA = ['Condition/ca', 'Observation/oa', 'Observation/oac']
    expect(await told('Patient/$export')).to.deep.equal([
      ...['Condition/ca', 'Observation/oa', 'Observation/oac', 'Observation/oc', 'Patient/b', 'Patient/c'],
    ])
    expect(await told('Group/g/$export')).to.deep.equal([...ofA, 'Patient/b'].sort())
    expect(await told('Group/g/$export', ['_type', 'Patient'])).to.deep.equal(['Patient/b'])
    for (const path of ['Patient/$export', 'Group/g/$export']) {
      expect(await told(path, ['patient', 'Patient/a']), path).to.deep.equal(ofA)
    }
    const all = await told('$export')
    expect(all).to.include.members(['Observation/nobody', 'Organization/org'])
  })

  it('is in the output only when it is there again, however often that was [FL-32]', async () => {
    const { host } = test
    for (let times = 0; times < 3; times += 1) {
      await remove(host, 'Observation/oa', 'Patient/a')
      await put(host, observation('oa', { subject: of('a') }))
      await put(host, patient('a'))
    }
    await remove(host, 'Observation/ob')
    for (const path of ['$export', 'Patient/$export', 'Group/g/$export']) {
      const manifest = await exportAt(host, path, since(SINCE))
      expect(await outputNames(manifest), path).to.deep.equal(['Observation/oa', 'Patient/a'])
      expect(await deletedNames(manifest), path).to.deep.equal(['Observation/ob'])
    }
  })

  it('is told when it is there again only after the transaction time [FL-31 FL-32]', async () => {
    const { host } = test
    await remove(host, 'Observation/oa')
    const gate = heldHook()
    const statusUrl = await host.client.kickOff('system', { _since: SINCE })
    await gate.reached
    await put(host, observation('oa', { subject: of('a') }))
    gate.open()
    const manifest = await host.manifest(statusUrl)
    expect(await deletedNames(manifest)).to.deep.equal(['Observation/oa'])
    expect(await outputNames(manifest)).to.deep.equal([])
    const next = await exportAt(host, '$export', since(manifest.transactionTime))
    expect([await outputNames(next), await deletedNames(next)]).to.deep.equal([['Observation/oa'], []])
  })

  it('is told when it is there again in the compartment of somebody else, and so not in the output [FL-31]', async () => {
    const { host } = test
    await remove(host, 'Observation/oa')
    await put(host, observation('oa', { subject: of('c') }))
    const manifest = await exportAt(host, 'Group/g/$export', since(SINCE))
    expect([await outputNames(manifest), await deletedNames(manifest)]).to.deep.equal([
      [],
      ['Observation/oa'],
    ])
  })

  it('is told when it is there again only after _until, and so not in the output [FL-31]', async () => {
    const { host } = test
    await remove(host, 'Observation/oa')
    const between = new Date(pastInstant())
    await put(host, observation('oa', { subject: of('a') }))
    const manifest = await exportAt(host, '$export', since(SINCE), until(between))
    expect([await outputNames(manifest), await deletedNames(manifest)]).to.deep.equal([
      [],
      ['Observation/oa'],
    ])
  })

  for (const given of ['what was asked for', 'more']) {
    it(`is told from _since to _until, neither included, when the hook gives ${given} [FL-31]`, async () => {
      if (given === 'more') hook = generous
      const { host } = test
      await remove(host, 'Observation/oa')
      const stamp = await stampOf('Observation', 'oa')
      const shifted = (ms: number) => new Date(stamp.getTime() + ms)
      const told = async (...pairs: readonly Pair[]) =>
        deletedNames(await exportAt(host, '$export', ...pairs))
      expect(await told(since(shifted(-1)))).to.deep.equal(['Observation/oa'])
      expect(await told(since(stamp)), 'at _since').to.deep.equal([])
      pastInstant()
      expect(await told(since(shifted(1))), 'before _since').to.deep.equal([])
      expect(await told(since(SINCE), until(shifted(1)))).to.deep.equal(['Observation/oa'])
      expect(await told(since(SINCE), until(stamp)), 'at _until').to.deep.equal([])
      expect(await told(since(SINCE), until(shifted(-1))), 'after _until').to.deep.equal([])
    })

    it(`is told by the next export when it was after the transaction time, and the hook gives ${given} [FL-31]`, async () => {
      const { host } = test
      const own = given === 'more' ? generous : deletedSince(database.db)
      const gate = heldHook(own)
      const statusUrl = await host.client.kickOff('system', { _since: SINCE })
      await gate.reached
      await remove(host, 'Observation/oa')
      gate.open()
      const manifest = await host.manifest(statusUrl)
      expect(await deletedNames(manifest)).to.deep.equal([])
      hook = own
      const next = await exportAt(host, '$export', since(manifest.transactionTime))
      expect(await deletedNames(next)).to.deep.equal(['Observation/oa'])
      expect(await deletedNames(await exportAt(host, '$export', since(next.transactionTime)))).to.deep.equal(
        [],
      )
    })
  }

  it('is in files that go when the export is deleted', async () => {
    const { host } = test
    await remove(host, 'Observation/oa')
    const statusUrl = await host.client.kickOff('system', { _since: SINCE })
    const { deleted } = await host.manifest(statusUrl)
    await host.client.remove(statusUrl)
    expect((await fetch(String(deleted[0]?.url))).status).to.equal(404)
    expect(await readdir(host.folder)).to.deep.equal([])
  })
})

describe('what was deleted on a host without the hook', () => {
  const test = useHost(useDatabase(), () => ({
    resources: RESOURCES,
    options: { deletedSince: undefined } as unknown as object,
  }))

  it('is not told, and the output is as ever', async () => {
    const { host } = test
    await remove(host, 'Observation/oa')
    await put(host, patient('a'))
    const manifest = await exportAt(host, '$export', ['_since', SINCE])
    expect([await outputNames(manifest), manifest.deleted]).to.deep.equal([['Patient/a'], []])
  })
})
