import { readdir } from 'node:fs/promises'
import { expect } from 'chai'
import type { HostProfile } from '../../plugin/index.js'
import { folderOfExport } from '../support/export-folders.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'

/** After so many pages a large export is given up; it has been told long before that it is to end. */
const MOST_PAGES = 100_000
/** Pages that are left when a small export is through. */
const REST = 3

describe('a small export beside a large one, on one worker', () => {
  const database = useDatabase()
  let hosts: TestHost[]
  /** The last page of the large type; not known before the small export has been read. */
  let last: number
  let highest: number
  let asked: string[]
  beforeEach(() => {
    hosts = []
    last = MOST_PAGES
    highest = -1
    asked = []
  })
  afterEach(() => Promise.all(hosts.map((host) => host.close())))

  /** Goes on giving pages of two until the small export is being read. */
  const large = profileOf((query) => {
    const page = Number(query['page'] ?? 0)
    highest = Math.max(highest, page)
    if (asked.at(-1) !== 'large') asked.push('large')
    const resources = [0, 1].map((index) => ({ resourceType: 'Observation', id: `o${2 * page + index}` }))
    return pageOf(resources, page < last ? page + 1 : undefined)
  })
  const small = profileOf(() => {
    asked.push('small')
    last = Math.min(last, highest + REST)
    return [{ resourceType: 'Patient', id: 'p' }]
  })
  const start = async (options: TestHostOptions['options'] = {}) => {
    const profiles = { Observation: large, Patient: small }
    const host = await startHost(database, { profiles, options: { workers: 1, ...options } })
    hosts.push(host)
    return host
  }
  const begun = async () => {
    while (highest < 5) await new Promise(setImmediate)
  }
  const jobOf = (statusUrl: string) =>
    database.db
      .collection<{ _id: string; endedAt: Date; served: number }>('bulkexport.jobs')
      .findOne({ _id: statusUrl.split('/').at(-1) as string })
  const expectWhole = async (host: TestHost, statusUrl: string) => {
    const manifest = await host.manifest(statusUrl)
    const found = [...(await host.resources(manifest)).values()].flat().map(({ id }) => id)
    expect(found).to.deep.equal(Array.from({ length: 2 * (last + 1) }, (_, index) => `o${index}`))
    expect((await jobOf(statusUrl))?.served).to.equal(found.length)
    const names = manifest.output.map(({ url }) => url.split('/').at(-1))
    const kept = await readdir(await folderOfExport(host.folder, statusUrl))
    expect(kept.map((name) => name.replace(/\.gz$/, '')).sort()).to.deep.equal([...names].sort())
    return manifest
  }

  for (const compressFiles of [false, true]) {
    it(`LinuxForHealth/FHIR#2419: never waits until that is complete, which is whole in the end, in ${compressFiles ? 'compressed' : 'plain'} files [KO-27]`, async () => {
      const host = await start({ compressFiles })
      const largeUrl = await host.client.kickOff('system', { _type: 'Observation' })
      await begun()
      const smallUrl = await host.client.kickOff('system', { _type: 'Patient' })
      expect(await host.ended(smallUrl)).to.equal('completed')
      expect(await host.ended(largeUrl)).to.equal('completed')
      expect(asked).to.deep.equal(['large', 'small', 'large'])
      const ends = [await jobOf(smallUrl), await jobOf(largeUrl)].map((job) => job?.endedAt.getTime() ?? 0)
      expect(ends[0]).to.be.below(ends[1] ?? 0)
      const { output } = await expectWhole(host, largeUrl)
      expect(output, 'files, cut where it gave way').to.have.length(2)
      expect((await host.manifest(smallUrl)).output.map(({ count }) => count)).to.deep.equal([1])
      expect(host.log.filter(({ message }) => message === 'task.interrupted')).to.have.length(1)
    })
  }

  it('comes before the rest of one that is a stream, and which is whole in the end', async () => {
    let opened = 0
    const service: HostProfile['service'] = {
      search: async () => [],
      async *searchStream() {
        opened += 1
        for (let number = 0; number < 2 * (last + 1) && number < 2 * MOST_PAGES; number += 1) {
          if (number % 2 === 0) await new Promise(setImmediate)
          highest = Math.max(highest, Math.floor(number / 2))
          yield { resourceType: 'Observation', id: `o${number}` }
        }
      },
    }
    const profiles = { Observation: { service, versions: ['4_0_0'] }, Patient: small }
    const host = await startHost(database, { profiles, options: { workers: 1 } })
    hosts.push(host)
    const largeUrl = await host.client.kickOff('system', { _type: 'Observation' })
    await begun()
    const smallUrl = await host.client.kickOff('system', { _type: 'Patient' })
    expect(await host.ended(smallUrl)).to.equal('completed')
    expect(last, 'the small one was read while the large one waited').to.be.below(MOST_PAGES)
    expect(await host.ended(largeUrl)).to.equal('completed')
    const { output } = await expectWhole(host, largeUrl)
    expect(opened).to.equal(2)
    expect(output.length, 'files, one of them cut where it gave way').to.be.at.least(2)
  })

  it('is one of several, and each comes before the large one goes on', async () => {
    const host = await start()
    const largeUrl = await host.client.kickOff('system', { _type: 'Observation' })
    await begun()
    const urls: string[] = []
    for (let index = 0; index < 3; index += 1) {
      urls.push(await host.client.kickOff('system', { _type: 'Patient' }))
    }
    for (const url of urls) expect(await host.ended(url)).to.equal('completed')
    await expectWhole(host, largeUrl)
  })

  it('takes nothing from a large one of the same size: two that take turns are both whole', async () => {
    const host = await start()
    const first = await host.client.kickOff('system', { _type: 'Observation' })
    await begun()
    const second = await host.client.kickOff('system', { _type: 'Observation' })
    const third = await host.client.kickOff('system', { _type: 'Patient' })
    for (const url of [third, first, second]) expect(await host.ended(url)).to.equal('completed')
    await expectWhole(host, first)
    await expectWhole(host, second)
  })

  it('finds a large one going on where another process left it', async () => {
    const host = await start()
    const largeUrl = await host.client.kickOff('system', { _type: 'Observation' })
    await begun()
    const smallUrl = await host.client.kickOff('system', { _type: 'Patient' })
    expect(await host.ended(smallUrl)).to.equal('completed')
    await host.bulkExport.stop()
    await host.bulkExport.start()
    expect(await host.ended(largeUrl)).to.equal('completed')
    await expectWhole(host, largeUrl)
  })
})

describe('a task that failed', () => {
  const database = useDatabase()

  it('is taken up by a worker that is free, also while another one works on what failed before', async () => {
    const gate = new Gate()
    /** Fails at the first try by what may pass. */
    const failing = (resourceType: string, then: () => Promise<void>) => {
      let tries = 0
      return profileOf(async () => {
        tries += 1
        if (tries === 1) throw Object.assign(new Error('overloaded'), { statusCode: 503 })
        await then()
        return [{ resourceType, id: 'x' }]
      })
    }
    const host = await startHost(database, {
      profiles: {
        Observation: failing('Observation', () => gate.pass()),
        Patient: failing('Patient', async () => {}),
      },
      options: { workers: 2 },
    })
    try {
      const held = await host.client.kickOff('system', { _type: 'Observation' })
      await gate.reached
      const free = await host.client.kickOff('system', { _type: 'Patient' })
      expect(await host.ended(free)).to.equal('completed')
      gate.open()
      expect(await host.ended(held)).to.equal('completed')
    } finally {
      gate.open()
      await host.close()
    }
  })
})

function profileOf(answer: (query: Readonly<Record<string, string>>) => unknown): HostProfile {
  const search = async (_args: object, { req }: { readonly req: unknown }) => {
    // Lets the event loop turn, as a real service does.
    await new Promise(setImmediate)
    return answer((req as { query: Record<string, string> }).query)
  }
  return { service: { search }, versions: ['4_0_0'] }
}

function pageOf(resources: readonly object[], next?: number): object {
  const link = next === undefined ? [] : [{ relation: 'next', url: `http://example.org/any?page=${next}` }]
  return { resourceType: 'Bundle', link, entry: resources.map((resource) => ({ resource })) }
}
