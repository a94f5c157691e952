import { expect } from 'chai'
import type { Authorize, HostProfile } from '../../plugin/index.js'
import { exportFolders } from '../support/export-folders.js'
import { startHost, type TestHost, type TestHostOptions, useHost } from '../support/export-host.js'
import { type TestDatabase, useDatabase } from '../support/mongodb.js'
import { type Answer, ask, expectRefusal, Gate, kickOff } from '../support/protected-host.js'

const HOUR = 3_600_000
const PATIENT = { resourceType: 'Patient', id: 'p1' }

/** A service that answers once the gate is open. */
function heldProfile(gate: Gate): HostProfile {
  const search = async () => {
    await gate.pass()
    return [PATIENT]
  }
  return { service: { search }, versions: ['4_0_0'] }
}

/** Demands 429 with an integer `Retry-After`; gives what it says. */
function expectThrottled(answer: Answer): string {
  expect(answer.headers.get('retry-after')).to.match(/^[1-9]\d*$/)
  return expectRefusal(answer, 429, 'throttled')
}

const clientOf: Authorize = async ({ headers }) => ({ clientId: headers['x-client'] ?? '', types: 'all' })
const as = (client: string) => ({ headers: { 'X-Client': client } })
const jobsIn = ({ db }: TestDatabase) => db.collection<{ _id: string; endedAt: Date }>('bulkexport.jobs')

describe('too many running exports [KO-13 KO-27 ERR-08]', () => {
  let gate: Gate
  const database = useDatabase()
  const held = (options: TestHostOptions['options']): TestHostOptions => {
    return { profiles: { Patient: heldProfile(gate) }, ...(options ? { options } : {}) }
  }
  beforeEach(() => {
    gate = new Gate()
  })
  afterEach(() => gate.open())

  describe('of one client', () => {
    const options = { maxRunningExportsPerClient: 2, maxRunningExports: 5, authorize: clientOf }
    const test = useHost(database, () => held(options))

    it('are 429 for this client, not for others, and nothing is stored', async () => {
      const { host } = test
      await kickOff(host, as('a'))
      await kickOff(host, as('a'))
      const before = await jobsIn(database).find().toArray()
      const says = expectThrottled(await ask(`${host.base}/$export`, as('a')))
      expect(says).to.match(/\b2\b.*maxRunningExportsPerClient/)
      expect((await jobsIn(database).find().toArray()).map(({ _id }) => _id)).to.deep.equal(
        before.map(({ _id }) => _id),
      )
      await kickOff(host, as('b'))
    })

    it('are 429 for everybody when there are too many of all clients', async () => {
      const { host } = test
      for (const client of ['a', 'a', 'b', 'b', 'c']) await kickOff(host, as(client))
      const says = expectThrottled(await ask(`${host.base}/Patient/$export`, as('d')))
      expect(says).to.match(/\b5\b.*maxRunningExports\b/)
      expect(await jobsIn(database).countDocuments()).to.equal(5)
    })

    it('are fewer when one is deleted or complete', async () => {
      const { host } = test
      const [first, second] = [await kickOff(host, as('a')), await kickOff(host, as('a'))]
      expectThrottled(await ask(`${host.base}/$export`, as('a')))
      expect((await ask(first, { ...as('a'), method: 'DELETE' })).status).to.equal(202)
      const third = await kickOff(host, as('a'))
      expectThrottled(await ask(`${host.base}/$export`, as('a')))
      gate.open()
      for (const statusUrl of [second, third]) await host.ended(statusUrl)
      await kickOff(host, as('a'))
    })
  })

  describe('without authorisation', () => {
    it('are exactly as many as the limit of 50 simultaneous kick-offs on two servers', async () => {
      const options = held({ maxRunningExports: 10, maxRunningExportsPerClient: 1 })
      const hosts = [await startHost(database, options), await startHost(database, options)]
      try {
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, index) => ask(`${hosts[index % 2]?.base}/$export`)),
        )
        const accepted = answers.filter(({ status }) => status === 202)
        for (const answer of answers.filter((each) => !accepted.includes(each))) {
          expect(expectThrottled(answer)).to.match(/\b10\b.*maxRunningExports\b/)
        }
        const urls = accepted.map(({ headers }) => headers.get('content-location')?.split('/').at(-1))
        const stored = (await jobsIn(database).find().toArray()).map(({ _id }) => _id)
        expect(stored.sort()).to.deep.equal(urls.sort())
        expect(stored).to.have.length(10)
      } finally {
        gate.open()
        for (const host of hosts) await host.close()
      }
    })
  })
})

describe('an export that is asked for again while it is under way', () => {
  let gate: Gate
  const database = useDatabase()
  const group = { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: [] }
  const hostOptions = (options: TestHostOptions['options']): TestHostOptions => ({
    ...{ types: ['Group', 'Observation'], resources: hosts.length === 0 ? [group] : [] },
    ...{ profiles: { Patient: heldProfile(gate) }, options: { authorize: clientOf, ...options } },
  })
  let hosts: TestHost[] = []
  const start = async (options: TestHostOptions['options']) => {
    const host = await startHost(database, hostOptions(options))
    hosts.push(host)
    return host
  }
  beforeEach(() => {
    gate = new Gate()
  })
  afterEach(async () => {
    gate.open()
    for (const host of hosts) await host.close()
    hosts = []
  })
  const body = (...parameter: readonly object[]) => ({ resourceType: 'Parameters', parameter })

  it('is 429 and not stored, until it has ended [KO-13]', async () => {
    const host = await start({ refuseDuplicates: true })
    const first = await kickOff(host, as('a'))
    expect(expectThrottled(await ask(`${host.base}/$export`, as('a')))).to.match(/refuseDuplicates/)
    expect(await jobsIn(database).countDocuments()).to.equal(1)
    expect((await ask(first, as('a'))).status, 'the first one').to.equal(202)
    expect((await ask(first, { ...as('a'), method: 'DELETE' })).status).to.equal(202)
    const second = await kickOff(host, as('a'))
    expectThrottled(await ask(`${host.base}/$export`, as('a')))
    gate.open()
    expect(await host.ended(second)).to.equal('completed')
    await kickOff(host, as('a'))
  })

  it('is taken in once when it comes to two servers at the same time [KO-13]', async () => {
    const both = [await start({ refuseDuplicates: true }), await start({ refuseDuplicates: true })]
    for (const client of ['a', 'b', 'c', 'd', 'e']) {
      const answers = await Promise.all(both.map(({ base }) => ask(`${base}/Patient/$export`, as(client))))
      expect(answers.map(({ status }) => status).sort(), client).to.deep.equal([202, 429])
      for (const answer of answers.filter(({ status }) => status === 429)) expectThrottled(answer)
    }
    expect(await jobsIn(database).countDocuments()).to.equal(5)
  })

  it('is another one for another client, and with anything that narrows it [KO-13]', async () => {
    const host = await start({ refuseDuplicates: true })
    const others = [
      ...['$export', 'Patient/$export', 'Group/g/$export', '$export?_type=Patient'],
      ...['$export?_type=Observation', '$export?_since=2024-01-01T00:00:00Z'],
      ...['$export?_since=2024-01-02T00:00:00Z', '$export?_until=2024-01-02T00:00:00Z'],
      ...['$export?_typeFilter=Observation%3Fstatus=final', '$export?_elements=status'],
    ]
    for (const client of ['a', 'b']) for (const path of others) await kickOff(host, as(client), path)
    for (const path of others) expectThrottled(await ask(`${host.base}/${path}`, as('a')))
  })

  it('is the same in another order, by another method and in other words [KO-13]', async () => {
    const host = await start({ refuseDuplicates: true })
    const types = { name: '_type', valueString: 'Observation,Patient' }
    const since = { name: '_since', valueInstant: '2024-01-01T02:00:00+02:00' }
    await kickOff(host, as('a'), '$export?_type=Patient,Observation&_since=2024-01-01T00:00:00Z')
    const same = [
      ['?_since=2024-01-01T00:00:00Z&_type=Observation&_type=Patient', {}],
      ['?_outputFormat=ndjson&_type=Observation,Patient&_since=2024-01-01T00:00:00.000Z', { method: 'POST' }],
      ['', { body: body(types, since) }],
      ['?_type=Nope,Patient,Observation', { body: body(since) }],
    ] as const
    const Prefer = 'respond-async, handling=lenient, separate-export-status'
    for (const [query, asked] of same) {
      const headers = { ...as('a').headers, Prefer }
      expectThrottled(await ask(`${host.base}/$export${query}`, { ...asked, headers }))
    }
  })

  it('is taken in as often as it comes where nobody minds', async () => {
    const host = await start({})
    for (let times = 0; times < 3; times += 1) await kickOff(host, as('a'))
    expect(await jobsIn(database).countDocuments()).to.equal(3)
  })
})

describe('a status that is asked for too often', () => {
  let gate: Gate
  let interval = 60_000
  const test = useHost(useDatabase(), () => {
    gate = new Gate()
    return { profiles: { Patient: heldProfile(gate) }, options: { minPollInterval: interval } }
  })
  afterEach(() => gate.open())
  const askTimes = async (url: string, count: number) => {
    const statuses: number[] = []
    for (let asked = 0; asked < count; asked += 1) statuses.push((await ask(url)).status)
    return statuses
  }

  it('is 429, while the export goes on and its end is told at once [ST-04 ERR-08]', async () => {
    const { host } = test
    const statusUrl = await kickOff(host, {})
    expect(await askTimes(statusUrl, 10)).to.deep.equal(Array(10).fill(202))
    for (let again = 0; again < 3; again += 1) expectThrottled(await ask(statusUrl))
    expect((await ask(await kickOff(host, {}))).status, 'another one').to.equal(202)
    gate.open()
    expect(await host.ended(statusUrl)).to.equal('completed')
    expect(await askTimes(statusUrl, 10)).to.deep.equal(Array(10).fill(200))
    expectThrottled(await ask(statusUrl))
    expect((await ask(`${statusUrl}/Patient-1.ndjson`)).status, 'a file').to.equal(200)
    expect((await ask(statusUrl, { method: 'DELETE' })).status, 'DELETE').to.equal(202)
  })

  it('is 404 as ever when there is no such export', async () => {
    const unknown = `${test.host.base}/$export/${'0'.repeat(32)}`
    expect(await askTimes(unknown, 12)).to.deep.equal(Array(12).fill(404))
  })

  describe('where nobody minds', () => {
    before(() => {
      interval = 0
    })
    it('is answered each time', async () => {
      const statusUrl = await kickOff(test.host, {})
      expect(await askTimes(statusUrl, 50)).to.deep.equal(Array(50).fill(202))
    })
  })
})

describe('the retention of an export', () => {
  const database = useDatabase()
  const test = useHost(database, () => ({ resources: [PATIENT], options: { retention: HOUR } }))
  const completed = async ({ client, ended }: TestHost) => {
    const statusUrl = await client.kickOff('system')
    expect(await ended(statusUrl)).to.equal('completed')
    return statusUrl
  }
  const idOf = (statusUrl: string) => statusUrl.split('/').at(-1) as string
  const change = (statusUrl: string, set: object) =>
    jobsIn(database).updateOne({ _id: idOf(statusUrl) }, [{ $set: set }])
  const expectGone = async (statusUrl: string) => {
    expectRefusal(await ask(statusUrl), 404, 'not-found')
    expectRefusal(await ask(`${statusUrl}/Patient-1.ndjson`), 404, 'not-found')
    expectRefusal(await ask(statusUrl, { method: 'DELETE' }), 404, 'not-found')
  }

  it('is told as Expires with the manifest [ST-06]', async () => {
    const statusUrl = await completed(test.host)
    const { headers } = await ask(statusUrl)
    const expires = String(headers.get('expires'))
    expect(expires).to.match(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
    expect(Date.parse(expires)).to.be.above(Date.parse(String(headers.get('date'))))
    const endedAt = (await jobsIn(database).findOne({ _id: idOf(statusUrl) }))?.endedAt.getTime() ?? 0
    expect(Date.parse(expires)).to.equal(Math.floor((endedAt + HOUR) / 1000) * 1000)
    expect((await ask(statusUrl)).headers.get('expires')).to.equal(expires)
  })

  it('ends with 404, and without files and documents [ERR-13]', async () => {
    const { host } = test
    const [old, young] = [await completed(host), await completed(host)]
    await change(old, { endedAt: { $subtract: ['$$NOW', HOUR] } })
    await host.bulkExport.stop()
    await host.bulkExport.start()
    await expectGone(old)
    expect([...(await exportFolders(host.folder)).keys()]).to.deep.equal([idOf(young)])
    expect(await jobsIn(database).countDocuments({ _id: idOf(old) })).to.equal(0)
    expect((await ask(`${young}/Patient-1.ndjson`)).status).to.equal(200)
  })

  it('is over for clients as soon as the job says so, although its files are still there', async () => {
    const { host } = test
    const statusUrl = await completed(host)
    await change(statusUrl, { status: 'expired' })
    await expectGone(statusUrl)
    expect([...(await exportFolders(host.folder)).keys()]).to.deep.equal([idOf(statusUrl)])
  })
})
