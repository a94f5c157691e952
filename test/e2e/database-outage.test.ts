import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import type { HostProfile } from '../../plugin/index.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

const PATIENTS = Array.from({ length: 40 }, (_, index) => ({ resourceType: 'Patient', id: `p${index}` }))
const PAGE = 4

describe('while MongoDB is gone', () => {
  const database = useDatabase()
  let proxy: TcpProxy
  let host: TestHost | undefined
  let gate: Gate
  beforeEach(async () => {
    const { hostname, port } = new URL(database.uri)
    proxy = await startTcpProxy({ host: hostname, port: Number(port) })
    gate = new Gate()
  })
  afterEach(async () => {
    gate.open()
    await proxy.shut().then(() => proxy.open())
    await host?.close()
    host = undefined
    await proxy.shut()
  })

  /** Waits at its fifth page. */
  const profile: HostProfile = {
    service: {
      search: async (_: object, { req }: { req: unknown }) => {
        const page = Number((req as { query: Record<string, string> }).query['page'] ?? 0)
        if (page === 5) await gate.pass()
        const entry = PATIENTS.slice(page * PAGE, (page + 1) * PAGE).map((resource) => ({ resource }))
        const isLast = (page + 1) * PAGE >= PATIENTS.length
        const link = isLast ? [] : [{ relation: 'next', url: `?page=${page + 1}` }]
        return {
          resourceType: 'Bundle',
          type: 'searchset',
          entry,
          link: [...link, { relation: 'self', url: '?' }],
        }
      },
    },
    versions: ['4_0_0'],
  }

  it('a job pauses, and goes on when it is back: each resource once', async function () {
    this.timeout(60_000)
    const uri = new URL(database.uri)
    uri.host = `127.0.0.1:${proxy.port}`
    uri.search = '?directConnection=true'
    host = await startHost(database, {
      profiles: { Patient: profile },
      options: { mongodb: { uri: uri.href }, maxFileResources: 3, workers: 1, lease: 1500 },
    })
    const statusUrl = await host.client.kickOff('system')
    await gate.reached
    await proxy.shut()
    gate.open()
    const refused = await fetch(`${host.base}/$export`, { headers: { Prefer: 'respond-async' } })
    expect(refused.status).to.equal(503)
    // Whoever worked on it has given up waiting, and the task is nobody's.
    while (!host.log.some(({ message }) => message === 'queue.handler-failed')) await delay(100)
    await proxy.open()
    expect(await host.ended(statusUrl)).to.equal('completed')
    const found = (await host.resources(await host.manifest(statusUrl))).get('Patient') ?? []
    expect(found.map(({ id }) => id)).to.have.members(PATIENTS.map(({ id }) => id))
    expect(found).to.have.length(PATIENTS.length)
  })
})
