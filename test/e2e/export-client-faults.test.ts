import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { filesIn, namesOf, resourcesIn, runClient, useFolder } from '../support/export-client.js'
import { startHost, type TestHost, type TestResource } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import {
  type SeenRequest,
  startTamperProxy,
  type Tampering,
  type TamperProxy,
} from '../support/tamper-proxy.js'

/** About 1.4 MB that compress badly: what is on the way when a connection breaks off is lost, so it has to be more. */
const PATIENTS: readonly TestResource[] = Array.from({ length: 4000 }, (_, index) => ({
  ...{ resourceType: 'Patient', id: `p${index}` },
  name: [{ text: Array.from({ length: 20 }, (_, n) => Math.sin(index * 20 + n).toString(36)).join(' ') }],
}))
const CUT = 400_000
const isFile = ({ method, path }: SeenRequest) => method === 'GET' && path.endsWith('Patient-1.ndjson')

describe('the export client, when something goes wrong on the way', () => {
  const database = useSuiteDatabase()
  const folder = useFolder()
  let host: TestHost
  let proxy: TamperProxy
  let tamper: (request: SeenRequest) => Tampering | undefined = () => undefined
  const out = () => join(folder.path, 'out')
  const run = (...words: readonly string[]) =>
    runClient(['--url', proxy.base, '--out', out(), '--json', ...words])
  const fileRequests = () => proxy.requests.filter(isFile)

  before('start a host', async () => {
    host = await startHost(database, {
      resources: PATIENTS,
      options: { hashFiles: true, minPollInterval: 0 },
    })
  })
  beforeEach('start a proxy', async () => {
    tamper = () => undefined
    proxy = await startTamperProxy(host.base, (request) => tamper(request))
  })
  afterEach(() => proxy.close())
  after(() => host.close())

  async function expectAll() {
    expect(namesOf(await resourcesIn(out()))).to.deep.equal(namesOf(PATIENTS))
    expect(await filesIn(out())).to.deep.equal(['Patient-1.ndjson', 'manifest.json'])
  }

  it('goes on with a download that broke off where it broke off, though it began compressed', async () => {
    let cuts = 0
    tamper = (request) => (isFile(request) && ++cuts <= 3 ? { cutAfter: CUT } : undefined)
    const { code, stderr } = await run()
    expect(code, stderr).to.equal(0)
    await expectAll()
    const ranges = fileRequests().map(({ headers }) => headers.range)
    expect(ranges).to.have.length(4)
    expect(ranges[0]).to.equal(undefined)
    const starts = ranges.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]))
    expect(starts[0], 'what came compressed was not for nothing').to.be.above(100_000)
    expect(starts).to.deep.equal(starts.toSorted((a, b) => a - b))
    expect(starts[2]).to.be.above(starts[0] as number)
    expect(fileRequests()[0]?.headers['accept-encoding']).to.match(/gzip/)
  })

  it('begins anew where the server cannot go on, or has another file by now', async () => {
    for (const [changed, ...others] of [
      [{ without: ['etag', 'accept-ranges'] }],
      [undefined, { answer: { status: 416 } }],
    ] as readonly (readonly (Tampering | undefined)[])[]) {
      let asked = 0
      tamper = (request) => {
        if (!isFile(request)) return request.method === 'HEAD' ? changed : undefined
        asked++
        return asked === 1 ? { ...changed, cutAfter: CUT } : (others[asked - 2] ?? changed)
      }
      const where = join(folder.path, String(others.length))
      const { code, stderr } = await run('--out', where)
      expect(code, stderr).to.equal(0)
      expect(namesOf(await resourcesIn(where))).to.deep.equal(namesOf(PATIENTS))
    }
  })

  it('loads a file again from its beginning when what was put together is not right', async () => {
    let asked = 0
    tamper = (request) => {
      if (!isFile(request)) return undefined
      asked++
      if (asked === 1) return { cutAfter: CUT }
      return asked === 2 ? { body: (text) => text.replace('Patient', 'Patiemt') } : undefined
    }
    const { code, stderr } = await run()
    expect(code, stderr).to.equal(0)
    expect(stderr).to.include('is loaded again from its beginning')
    await expectAll()
  })

  it('leaves what it has when the connection breaks off too often, and goes on with it the next time', async () => {
    tamper = (request) => (isFile(request) ? { cutAfter: CUT } : undefined)
    const failed = await run('--retries', '0')
    expect(failed.code).to.equal(5)
    expect(await filesIn(out())).to.deep.equal(['Patient-1.ndjson.part', 'Patient-1.ndjson.part.json'])
    const { statusUrl, error } = JSON.parse(failed.stdout)
    expect(error).to.include('Patient-1.ndjson')
    expect(failed.stderr).to.include(`--resume ${statusUrl}`)
    const { length } = await readFile(join(out(), 'Patient-1.ndjson.part'))
    tamper = () => undefined
    const { code, stderr } = await run('--resume', statusUrl)
    expect(code, stderr).to.equal(0)
    expect(fileRequests().at(-1)?.headers.range).to.equal(`bytes=${length}-`)
    await expectAll()
  })

  const lies: readonly { readonly name: string; readonly tampering: Tampering; readonly says: string }[] = [
    {
      name: 'a line less',
      tampering: { body: (text) => text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1) },
      says: 'there are 3999 lines where the manifest says 4000',
    },
    {
      name: 'a line twice',
      tampering: { body: (text) => text + text.slice(0, text.indexOf('\n') + 1) },
      says: 'there are 4001 lines where the manifest says 4000',
    },
    {
      name: 'a name changed, of the same length',
      tampering: { body: (text) => text.replace('"p7"', '"p8"') },
      says: 'the SHA-256 is another than in the manifest',
    },
    {
      name: 'another type',
      tampering: { body: (text) => text.replace('"Patient"', '"Person"') },
      says: 'line 1 is a Person and no Patient',
    },
    {
      name: 'half a line',
      tampering: { body: (text) => text.slice(0, -20) },
      says: 'line 4000 is not JSON',
    },
    {
      name: 'a page of HTML',
      tampering: { body: () => '<html>Please sign in</html>' },
      says: 'line 1 is not JSON',
    },
  ]
  for (const { name, tampering, says } of lies) {
    it(`refuses a file with ${name}`, async () => {
      tamper = (request) => (isFile(request) ? tampering : undefined)
      const { code, stdout, stderr } = await run('--delete')
      expect(code).to.equal(5)
      expect(stderr).to.include(`Patient-1.ndjson is not what the manifest promises: ${says}`)
      expect(stderr).to.not.include('Please sign in')
      expect(JSON.parse(stdout)).to.include({ ending: 'download', exitCode: 5 })
      expect(await filesIn(out())).to.deep.equal(['Patient-1.ndjson.rejected'])
      expect(proxy.requests.some(({ method }) => method === 'DELETE')).to.equal(false)
    })
  }

  it('finds a wrong count in the manifest', async () => {
    const body = (text: string) => text.replace('"count":4000', '"count":4001')
    tamper = ({ path, method }) => (/\$export\/[^/]+$/.test(path) && method === 'GET' ? { body } : undefined)
    const { code, stderr } = await run('--verify', 'count')
    expect(code).to.equal(5)
    expect(stderr).to.include('there are 4000 lines where the manifest says 4001')
  })

  it('waits as long as 429 and 503 want it to, at the kick-off, while it polls, and for a file', async () => {
    const answered = new Map<string, number>()
    const times: number[] = []
    tamper = ({ path, method }) => {
      const count = (answered.get(`${method} ${path}`) ?? 0) + 1
      answered.set(`${method} ${path}`, count)
      if (method !== 'GET') return undefined
      times.push(performance.now())
      const retryAt = { 'Retry-After': path.includes('ndjson') ? new Date().toUTCString() : '1' }
      if (count === 1) return { answer: { status: 429, headers: retryAt } }
      return count === 2 && path.endsWith('$export') ? { answer: { status: 503 } } : undefined
    }
    const { code, stderr } = await run()
    expect(code, stderr).to.equal(0)
    await expectAll()
    expect(stderr).to.include('HTTP 429').and.include('HTTP 503')
    const [first = 0, second = 0, third = 0] = times
    // Timers may be early by a little.
    expect(second - first).to.be.above(990)
    expect(third - second).to.be.above(490)
  })

  it('follows the pages of a manifest, and sends nobody else the token', async () => {
    const other = await startTamperProxy(host.base, () => undefined)
    try {
      for (const allowed of [false, true]) {
        const body = (text: string) => {
          const manifest = JSON.parse(text)
          if (manifest.output === undefined) return text
          const output = manifest.output.map((file: { url: string }) => ({
            ...file,
            url: file.url.replace(new URL(proxy.base).origin, new URL(other.base).origin),
          }))
          return JSON.stringify({ ...manifest, requiresAccessToken: !allowed, output })
        }
        const page = (path: string) => `${new URL(proxy.base).origin}${path}?page=2`
        tamper = ({ path, method }) => {
          if (method !== 'GET' || !/\$export\/[^/.]+(\?page=2)?$/.test(path)) return undefined
          if (path.endsWith('?page=2')) return { body }
          return {
            body: (text) => {
              const manifest = JSON.parse(text === '' ? '{}' : text)
              if (manifest.output === undefined) return text
              return JSON.stringify({
                ...manifest,
                output: [],
                link: [{ relation: 'next', url: page(path) }],
              })
            },
          }
        }
        const where = join(folder.path, String(allowed))
        const token = 'a-token-that-is-for-one-origin'
        const words = ['--url', proxy.base, '--out', where, '--header', 'X-Tenant: north']
        const { code, stderr, stdout } = await runClient(words, token)
        expect(code, stderr).to.equal(allowed ? 0 : 8)
        expect(stdout + stderr).to.not.include(token)
        expect(proxy.requests.at(-1)?.headers).to.include({
          authorization: `Bearer ${token}`,
          'x-tenant': 'north',
        })
        if (allowed) expect(await resourcesIn(where)).to.have.length(PATIENTS.length)
        else expect(stderr).to.include('--allow-other-origin')
      }
      expect(other.requests.length).to.be.above(0)
      for (const { headers } of other.requests) {
        expect(headers).to.not.have.any.keys('authorization', 'x-tenant')
      }
    } finally {
      await other.close()
    }
  })

  it('says clearly that a folder cannot be written', async function () {
    if (process.getuid?.() === 0) this.skip()
    await chmod(folder.path, 0o500)
    const { code, stderr } = await run()
    expect(code).to.equal(2)
    expect(stderr).to.include('there is no permission')
  })
})
