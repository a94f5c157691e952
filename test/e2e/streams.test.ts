import { readdir } from 'node:fs/promises'
import { expect } from 'chai'
import type { HostProfile } from '../../plugin/index.js'
import { Calls } from '../integration/calls.js'
import { folderOfExport } from '../support/export-folders.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { type Answer, ask, expectRefusal } from '../support/protected-host.js'

const ALL = Array.from({ length: 20 }, (_, index) => ({
  ...{ resourceType: 'Observation', id: `o${100 + index}`, subject: { reference: 'Patient/p' } },
}))
const PATIENT = { resourceType: 'Patient', id: 'p' }
/** What is thrown may pass. */
const overloaded = () => Object.assign(new Error('overloaded'), { statusCode: 503 })

/** Gives these and then does something. */
async function* streamOf(resources: readonly unknown[], then: () => unknown = () => undefined) {
  yield* resources
  await then()
}
const failing = () => {
  throw overloaded()
}

describe('an export of streams', () => {
  const database = useDatabase()
  let hosts: TestHost[]
  let calls: Calls
  /** What the stream of Observation is; gets how often it was opened before. */
  let open: (before: number) => unknown
  beforeEach(() => {
    hosts = []
    calls = new Calls()
  })
  afterEach(() => Promise.all(hosts.map((host) => host.close())))

  const start = async (options: TestHostOptions['options'] = {}) => {
    const service: HostProfile['service'] = {
      search: async () => {
        throw new Error('It is not searched where it streams.')
      },
      searchStream: () => {
        calls.add('stream')
        return open(calls.all.length - 1)
      },
    }
    const host = await startHost(database, {
      ...{ resources: hosts.length === 0 ? [PATIENT] : [], types: ['Patient'] },
      profiles: { Observation: { service, versions: ['4_0_0'] } },
      options: { workers: 1, maxFileResources: 7, minPollInterval: 0, ...options },
    })
    hosts.push(host)
    return host
  }
  const kickOff = (host: TestHost) => host.client.kickOff('system', { _type: 'Observation' })
  const expectWhole = async (host: TestHost, statusUrl: string, files: number, expected = ALL) => {
    const manifest = await host.manifest(statusUrl)
    expect((await host.resources(manifest)).get('Observation')).to.deep.equal(expected)
    const names = manifest.output.map(({ url }) => url.split('/').at(-1))
    expect(names).to.have.length(files)
    expect((await readdir(await folderOfExport(host.folder, statusUrl))).sort()).to.deep.equal(names.sort())
  }
  const logged = (host: TestHost, event: string) => host.log.filter(({ message }) => message === event)

  it('has all of them, in files of the size that they may have', async () => {
    const host = await start()
    open = () => streamOf(ALL)
    await expectWhole(host, await kickOff(host), 3)
    expect(calls.all).to.have.length(1)
  })

  for (const cut of [0, 3, 7, 12, 20]) {
    it(`that breaks off after ${cut} goes on after its last file; nothing comes twice`, async () => {
      const host = await start()
      open = (before) => (before === 0 ? streamOf(ALL.slice(0, cut), failing) : streamOf(ALL))
      await expectWhole(host, await kickOff(host), 3)
      expect(calls.all).to.have.length(2)
      const [retried, ...more] = logged(host, 'task.retried')
      // That a file is full shows when there is one more.
      expect(retried).to.include({ reason: 'service', resources: 7 * Math.floor(Math.max(0, cut - 1) / 7) })
      expect(more).to.deep.equal([])
    })
  }

  it('begins anew when it was not the same before the last file', async () => {
    const host = await start()
    const turned = [ALL[1], ALL[0], ...ALL.slice(2)] as typeof ALL
    open = (before) => (before === 0 ? streamOf(ALL.slice(0, 12), failing) : streamOf(turned))
    await expectWhole(host, await kickOff(host), 3, turned)
    expect(calls.all).to.have.length(3)
  })

  it('that hangs is ended after searchTimeout, closed, and gone on with', async () => {
    const host = await start({ searchTimeout: 300 })
    let closed = 0
    open = (before) => {
      const stream = streamOf(ALL.slice(0, before === 0 ? 10 : 20))
      if (before > 0) return stream
      const next = async () => {
        const found = await stream.next()
        return found.done ? new Promise<never>(() => {}) : found
      }
      const close = async () => {
        closed += 1
        return { done: true, value: undefined }
      }
      return { [Symbol.asyncIterator]: () => ({ next, return: close }) }
    }
    await expectWhole(host, await kickOff(host), 3)
    expect(closed).to.equal(1)
    expect(logged(host, 'task.retried').map(({ reason }) => reason)).to.deep.equal(['timeout'])
  })

  it('is taken up by another process when its own stops', async () => {
    const first = await start()
    let isStuck: () => void = () => {}
    const stuck = new Promise<void>((resolve) => {
      isStuck = resolve
    })
    open = (before) => {
      if (before > 0) return streamOf(ALL)
      return streamOf(ALL.slice(0, 16), () => {
        isStuck()
        return new Promise(() => {})
      })
    }
    const statusUrl = await kickOff(first)
    await stuck
    await first.bulkExport.stop()
    const { folder } = first
    const storage = `file://${folder}`
    const second = await start({ storage })
    expect(await second.ended(statusUrl)).to.equal('completed')
    const status = await second.client.status(statusUrl.replace(first.base, second.base))
    if (status.state !== 'complete') throw new Error('It is not complete.')
    expect(status.manifest.output.map(({ count }) => count)).to.deep.equal([7, 7, 6])
    expect((await second.resources(status.manifest)).get('Observation')).to.deep.equal(ALL)
  })

  for (const [what, given, says] of [
    ['no stream', () => ({ resourceType: 'Bundle' }), /Observation.*a Bundle.*iterable of resources/],
    ['one of pages', () => [{ resourceType: 'Bundle' }], /Observation.*a Bundle.*one by one/],
    ['one of rubbish', () => streamOf([...ALL, 'x']), /Observation.*number 21.*resourceType/],
  ] as const) {
    it(`fails at once, and says why, when the service gives ${what}`, async () => {
      const host = await start()
      open = given
      const statusUrl = await kickOff(host)
      expect(await host.ended(statusUrl)).to.equal('failed')
      const answer: Answer = await ask(statusUrl)
      expect(await expectRefusal(answer, 500, 'exception')).to.match(says)
      expect(calls.all).to.have.length(1)
    })
  }

  it('leaves out what lies outside of the window, and other types', async () => {
    const host = await start()
    const late = { ...ALL[0], id: 'late', meta: { lastUpdated: '2999-01-01T00:00:00Z' } }
    open = () => streamOf([PATIENT, late, ...ALL.slice(0, 2)])
    await expectWhole(host, await kickOff(host), 1, ALL.slice(0, 2))
  })
})
