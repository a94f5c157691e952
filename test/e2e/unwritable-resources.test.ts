import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import type { HostProfile, Manifest } from '../../plugin/index.js'
import { hostTypes } from '../../scripts/host/index.js'
import { exportFiles, folderOfExport } from '../support/export-folders.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { issuesOf, outputNames } from '../support/manifest-files.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'

const SECRET = 'Doe, 1970-01-01'

type Make = (resourceType: string, id: string) => object

const good: Make = (resourceType, id) => ({ resourceType, id, text: { div: 'good' } })
const withBigInt: Make = (resourceType, id) => ({ resourceType, id, name: SECRET, size: 7n })

/** What no JSON can be made of, though each has a type and an id. */
const UNWRITABLE: Readonly<Record<string, Make>> = {
  'a BigInt': withBigInt,
  'a BigInt deep inside': (resourceType, id) => ({
    resourceType,
    id,
    name: [{ family: SECRET, of: [{ at: 1n }] }],
  }),
  'a circle': (resourceType, id) => {
    const resource = { resourceType, id, name: SECRET, contained: [] as object[] }
    resource.contained.push(resource)
    return resource
  },
  'a toJSON that throws': (resourceType, id) => ({
    ...{ resourceType, id, name: SECRET },
    toJSON() {
      throw new Error(SECRET)
    },
  }),
  'a toJSON that gives nothing': (resourceType, id) => ({
    resourceType,
    id,
    name: SECRET,
    toJSON: () => undefined,
  }),
  'a toJSON that gives a BigInt': (resourceType, id) => ({
    ...{ resourceType, id },
    toJSON: () => ({ resourceType, id, name: SECRET, size: 7n }),
  }),
  'an element whose toJSON throws': (resourceType, id) => ({
    ...{ resourceType, id },
    name: {
      toJSON() {
        throw new Error(SECRET)
      },
    },
  }),
  'an element that cannot be read': (resourceType, id) => ({
    ...{ resourceType, id },
    get name() {
      throw new Error(SECRET)
    },
  }),
  'elements without end': (resourceType, id) => {
    let extension: object = { valueString: SECRET }
    for (let depth = 0; depth < 100_000; depth += 1) extension = { extension: [extension] }
    return { resourceType, id, extension }
  },
}

/** A service that gives what a pattern such as `gbg` says, in pages. */
function profileOf(type: string, resources: readonly object[], options: ProfileOptions = {}): HostProfile {
  const { size = 2, before = () => undefined } = options
  const search = async (_args: object, { req }: { readonly req: unknown }) => {
    await turn()
    const page = Number((req as { query: Record<string, string> }).query['page'] ?? 0)
    await before(page)
    const isLast = (page + 1) * size >= resources.length
    const next = { relation: 'next', url: `http://example.org/${type}?page=${page + 1}` }
    return {
      ...{
        resourceType: 'Bundle',
        link: [{ relation: 'self', url: 'http://example.org' }, ...(isLast ? [] : [next])],
      },
      entry: resources.slice(page * size, (page + 1) * size).map((resource) => ({ resource })),
    }
  }
  return { service: { search }, versions: ['4_0_0'] }
}

interface ProfileOptions {
  readonly size?: number
  before?(page: number): unknown
}

/** Resources by a pattern: `g` for a good one, `b` for a bad one. */
function made(type: string, pattern: string, bad = withBigInt) {
  const all = [...pattern].map((letter, index) => (letter === 'b' ? bad : good)(type, `x${index}`))
  const named = (letter: string) =>
    [...pattern].flatMap((each, index) => (each === letter ? [`${type}/x${index}`] : [])).sort()
  return { all, good: named('g'), bad: named('b') }
}

/** Demands an error for each of these, that says no more of them; each once. */
async function expectErrors(manifest: Manifest, names: readonly string[]): Promise<void> {
  const issues = await issuesOf(manifest)
  for (const { severity, code } of issues) expect([severity, code]).to.deep.equal(['error', 'exception'])
  const named = issues.map(({ diagnostics }) => diagnostics.match(/[A-Z][A-Za-z]+\/[A-Za-z0-9.-]+/g)?.join())
  expect(named.sort()).to.deep.equal([...names].sort())
  expect(JSON.stringify(issues)).not.to.match(/Doe,/)
}

describe('resources that cannot be written as JSON', () => {
  const database = useDatabase()
  const hosts: TestHost[] = []
  const start = async (options: TestHostOptions) => {
    const host = await startHost(database, options)
    hosts.push(host)
    return host
  }
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.close()
  })
  const exported = async (host: TestHost, parameters: Readonly<Record<string, string>> = {}) =>
    host.manifest(await host.client.kickOff('system', parameters))

  for (const [what, bad] of Object.entries(UNWRITABLE)) {
    it(`because of ${what} are told of, and the others are exported [ERR-09 MF-10 ST-11]`, async () => {
      const patients = made('Patient', 'gbbgggbg', bad)
      const basics = made('Basic', 'bgg', bad)
      const devices = made('Device', 'ggg', bad)
      const host = await start({
        profiles: {
          ...{ Patient: profileOf('Patient', patients.all), Basic: profileOf('Basic', basics.all) },
          Device: { service: { search: async () => devices.all }, versions: ['4_0_0'] },
        },
      })
      const manifest = await exported(host)
      expect(await outputNames(manifest)).to.deep.equal([...basics.good, ...devices.good, ...patients.good])
      await expectErrors(manifest, [...basics.bad, ...patients.bad])
      expect(JSON.stringify(host.log), 'the log').not.to.match(/Doe,/)
    })
  }

  it('are told of wherever they stand between the ends of files, and full files stay full [ERR-09 MF-08 EE-02]', async () => {
    const types = hostTypes().slice(0, 64)
    const patterns = types.map((_, index) =>
      index.toString(2).padStart(6, '0').replaceAll('0', 'g').replaceAll('1', 'b'),
    )
    const all = types.map((type, index) => made(type, String(patterns[index])))
    const profiles = Object.fromEntries(
      types.map((type, index) => [type, profileOf(type, all[index]?.all ?? [])]),
    )
    for (const maxFileResources of [1, 2, 3]) {
      const host = await start({ profiles, options: { maxFileResources } })
      const manifest = await exported(host)
      expect(await outputNames(manifest)).to.deep.equal(all.flatMap((each) => each.good).sort())
      await expectErrors(
        manifest,
        all.flatMap((each) => each.bad),
      )
      for (const [index, type] of types.entries()) {
        const counts = manifest.output.filter((file) => file.type === type).map(({ count }) => count)
        const left = all[index]?.good.length ?? 0
        const rest = left % maxFileResources
        const full = Array(Math.floor(left / maxFileResources)).fill(maxFileResources)
        expect(counts, patterns[index]).to.deep.equal(rest === 0 ? full : [...full, rest])
      }
      const urls = [...manifest.output, ...manifest.error].map(({ url }) => url)
      expect(new Set(urls).size).to.equal(urls.length)
      // Its workers would take the tasks of the next one, which has another folder.
      await host.close()
      hosts.pop()
    }
  })

  it('are all there is: then there are error files, and no other [ERR-09 MF-08 MF-10 EE-02]', async () => {
    const patients = made('Patient', 'bbbbbbb')
    const host = await start({ profiles: { Patient: profileOf('Patient', patients.all) } })
    for (const level of ['system', 'patient'] as const) {
      const statusUrl = await host.client.kickOff(level)
      const manifest = await host.manifest(statusUrl)
      expect([manifest.output, manifest.deleted]).to.deep.equal([[], []])
      await expectErrors(manifest, patients.bad)
      expect(await readdir(await folderOfExport(host.folder, statusUrl))).to.have.length(
        manifest.error.length,
      )
    }
  })

  it('are half of 5,000: each is told of once, in several files, and the others are exported once [ERR-09]', async function () {
    this.timeout(60_000)
    // Whole pages of bad ones among them.
    const pattern = `${'b'.repeat(1200)}${'gb'.repeat(650)}${'g'.repeat(1000)}${'b'.repeat(650)}${'g'.repeat(850)}`
    const patients = made('Patient', pattern)
    expect([patients.bad.length, patients.all.length]).to.deep.equal([2500, 5000])
    const profiles = { Patient: profileOf('Patient', patients.all, { size: 100 }) }
    const manifest = await exported(
      await start({ profiles, options: { maxFileResources: 700, compressFiles: true } }),
    )
    expect(await outputNames(manifest)).to.deep.equal(patients.good)
    await expectErrors(manifest, patients.bad)
    expect(manifest.error.length).to.be.above(2)
  })

  it('are exported when what cannot be written was not asked for', async () => {
    const patients = made('Patient', 'gb', (resourceType, id) => ({
      resourceType,
      id,
      gender: 'female',
      name: 7n,
    }))
    const host = await start({ profiles: { Patient: profileOf('Patient', patients.all) } })
    const manifest = await exported(host, { _elements: 'gender' })
    expect(await outputNames(manifest)).to.deep.equal(['Patient/x0', 'Patient/x1'])
    expect(manifest.error).to.deep.equal([])
  })

  it('come together with warnings in the error files [MF-10 ERR-09 ERR-02]', async () => {
    const patients = made('Patient', 'gb')
    const host = await start({ profiles: { Patient: profileOf('Patient', patients.all) } })
    const response = await fetch(`${host.base}/$export?_foo=x`, { headers: { Prefer: 'handling=lenient' } })
    const statusUrl = String(response.headers.get('content-location'))
    const manifest = await host.manifest(statusUrl)
    const issues = await issuesOf(manifest)
    expect(issues.map(({ severity }) => severity).sort()).to.deep.equal(['error', 'warning'])
    expect(manifest.error.reduce((sum, { count }) => sum + count, 0)).to.equal(2)
    await host.client.remove(statusUrl)
    for (const { url } of [...manifest.error, ...manifest.output])
      expect((await fetch(url)).status).to.equal(404)
    expect(await readdir(host.folder)).to.deep.equal([])
  })

  for (const maxFileResources of [1, 3]) {
    it(`are told of once when another worker goes on, with ${maxFileResources} in a file [ERR-09]`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
      const gate = new Gate()
      try {
        const patients = made('Patient', 'gbbgbggbbbbbggbbgbgbgbgb')
        const open = (before: (page: number) => unknown) =>
          start({
            profiles: { Patient: profileOf('Patient', patients.all, { before }) },
            options: { workers: 1, maxFileResources, storage: pathToFileURL(folder).href },
          })
        const first = await open((page) => (page < 8 ? undefined : gate.pass()))
        const statusUrl = await first.client.kickOff('system')
        await gate.reached
        const second = await open(() => undefined)
        const stopped = first.bulkExport.stop()
        gate.open()
        await stopped
        const manifest = await second.manifest(statusUrl.replace(first.base, second.base))
        expect(first.log.map(({ message }) => message)).to.include('task.handed-back')
        expect(await outputNames(manifest)).to.deep.equal(patients.good)
        await expectErrors(manifest, patients.bad)
        const files = (await exportFiles(folder)).filter((name) => name.endsWith('.ndjson'))
        const listed = [...manifest.output, ...manifest.error].map(({ url }) =>
          url.split('/').slice(-2).join('/'),
        )
        expect(files.sort()).to.deep.equal(listed.sort())
      } finally {
        gate.open()
        await rm(folder, { recursive: true, force: true })
      }
    })
  }
})
