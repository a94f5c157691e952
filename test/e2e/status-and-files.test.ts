import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect } from 'chai'
import type { HostProfile, Manifest } from '../../plugin/index.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { waitForDocument } from '../support/change-stream.js'
import { exportFiles, folderOfExport } from '../support/export-folders.js'
import { type TestHost, type TestResource, useHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'

type Answer = Awaited<ReturnType<typeof ask>>

const PATIENTS = ['p1', 'p2', 'p3', 'p4', 'p5'].map((id) => ({ resourceType: 'Patient', id }))

describe('the status of an export', () => {
  let gate: Gate
  const database = useDatabase()
  const test = useHost(database, () => {
    gate = new Gate()
    const held = pagedProfile([[observation('o1')]], () => gate.pass())
    return { resources: PATIENTS, types: ['Organization'], profiles: { Observation: held } }
  })
  afterEach(() => gate.open())

  it('is 202 with progress while it runs, then 200 with the manifest [ST-01 ST-02 ST-03 ST-05 ST-17 MF-04 MF-08 MF-17]', async () => {
    const { host } = test
    const asked = `${host.base}/$export?_outputFormat=ndjson`
    const statusUrl = String((await ask(asked)).headers['content-location'])
    await gate.reached
    const tasks = database.db.collection<{ type: string; status: string }>('bulkexport.tasks')
    await waitForDocument(tasks, ({ type, status }) => type === 'Organization' && status === 'done')
    await waitForDocument(tasks, ({ type, status }) => type === 'Patient' && status === 'done')

    const running = await ask(statusUrl)
    expectAccepted(running)
    const { 'x-progress': progress, 'retry-after': retryAfter } = running.headers
    expect(Number.parseInt(String(progress), 10)).to.equal(66)
    expect(progress).to.have.length.below(100)
    expect(retryAfter).to.match(/^[1-9]\d*$/)
    expectNotCached(running)
    expect((await ask(`${statusUrl}/Patient-1.ndjson`)).status, 'a file before the end').to.equal(404)

    gate.open()
    await host.ended(statusUrl)
    const complete = await ask(statusUrl, 'GET', { 'If-None-Match': '*' })
    expect([complete.status, complete.headers['content-type']]).to.deep.equal([200, 'application/json'])
    expectNotCached(complete)
    const { transactionTime, ...manifest } = JSON.parse(String(complete.bytes)) as Manifest
    expect(new Date(transactionTime).toISOString()).to.equal(transactionTime)
    expect(manifest).to.deep.equal({
      request: asked,
      requiresAccessToken: false,
      output: [
        { type: 'Patient', url: `${statusUrl}/Patient-1.ndjson`, count: 5 },
        { type: 'Observation', url: `${statusUrl}/Observation-1.ndjson`, count: 1 },
      ],
      deleted: [],
      error: [],
    })
    expect((await ask(statusUrl)).bytes.equals(complete.bytes), 'the same manifest again').to.equal(true)
  })

  it('is 404 for ids that are none of its own, as DELETE and the files are [ST-16 DL-05 ERR-13]', async () => {
    gate.open()
    const statusUrl = await completed(test.host)
    for (const id of strangeIds(idOf(statusUrl))) {
      const url = `${test.host.base}/$export/${id}`
      expectOutcome(await ask(url), 404, url)
      expectOutcome(await ask(url, 'DELETE'), 404, url)
      expectOutcome(await ask(`${url}/Patient-1.ndjson`), 404, url)
    }
    expect((await ask(statusUrl)).status).to.equal(200)
  })

  it('is 400 or 404 for paths that are not UTF-8', async () => {
    for (const path of ['%E0%A4%A', '0/%E0%A4%A', '%', '%ff']) {
      expect((await ask(`${test.host.base}/$export/${path}`)).status, path).to.be.oneOf([400, 404])
    }
  })

  it('and its files answer other methods 405', async () => {
    gate.open()
    const statusUrl = await completed(test.host)
    const file = `${statusUrl}/Patient-1.ndjson`
    for (const method of ['POST', 'PUT', 'PATCH', 'PROPFIND']) {
      for (const [url, allow] of [[statusUrl, 'GET, DELETE'] as const, [file, 'GET, HEAD'] as const]) {
        const answer = await ask(url, method)
        expectOutcome(answer, 405)
        expect(answer.headers['allow']).to.equal(allow)
      }
    }
    expectOutcome(await ask(file, 'DELETE'), 405)
    expect((await ask(file)).status).to.equal(200)
  })
})

describe('output files', () => {
  /** Lines of 65 bytes, except one that is larger than a file may be. Some characters take several bytes. */
  const basics = ['a', 'é', '€', '😀', '\u2028', 'x', 'b'].map((text, index) => {
    const times = text === 'x' ? 500 : 12 / Buffer.byteLength(text)
    return { resourceType: 'Basic', id: `b${index}`, text: text.repeat(times) }
  })
  const limits = [
    ['resources', { maxFileResources: 2 }, [2, 2, 2, 1]],
    ['bytes', { maxFileBytes: 150 }, [2, 2, 1, 1, 1]],
  ] as const
  for (const [what, options, counts] of limits) {
    describe(`that roll over by ${what}`, () => {
      const test = useHost(useDatabase(), () => ({ resources: basics, types: ['Patient'], options }))
      it('are numbered, and each is what its headers and the manifest say [QP-11 MF-07 MF-09 FL-02 FL-05 OR-03]', async () => {
        const { host } = test
        const statusUrl = await host.client.kickOff('system')
        const { output } = await host.manifest(statusUrl)
        const expected = counts.map((count, index) => {
          return { type: 'Basic', url: `${statusUrl}/Basic-${index + 1}.ndjson`, count }
        })
        expect(output).to.deep.equal(expected)
        const found: unknown[] = []
        for (const { url, count } of output) {
          const { status, headers, bytes } = await ask(url)
          const length = String(bytes.length)
          expect(status).to.equal(200)
          expect(headers).to.include({ 'content-type': 'application/fhir+ndjson', 'content-length': length })
          expect(headers['cache-control']).to.include('no-store')
          if ('maxFileBytes' in options && count > 1) expect(bytes.length).to.be.at.most(options.maxFileBytes)
          const lines = bytes.toString().split('\n')
          expect(lines.pop(), 'after the last newline').to.equal('')
          expect(lines).to.have.length(count)
          found.push(...lines.map((line) => JSON.parse(line) as unknown))
          const { headers: same, ...head } = await ask(url, 'HEAD')
          expect([head.status, String(head.bytes), same['content-length']]).to.deep.equal([200, '', length])
        }
        expect(found).to.deep.equal(basics)
      })
    })
  }

  describe('on the disk', () => {
    const test = useHost(useDatabase(), () => ({ resources: [...PATIENTS, observation('o1')] }))

    it('are not a way to other files', async () => {
      const { host } = test
      const statusUrl = await completed(host, 'Patient')
      const other = await completed(host, 'Observation')
      const beside = `${host.folder}-secret`
      await mkdir(beside)
      try {
        for (const folder of [beside, host.folder, await folderOfExport(host.folder, statusUrl)]) {
          await writeFile(join(folder, 'secret.ndjson'), 'NOBODY MAY SEE THIS')
        }
        for (const name of strangeNames(join(beside, 'secret.ndjson'), idOf(other))) {
          const { status, bytes } = await ask(`${statusUrl}/${name}`)
          expect(status, name).to.be.oneOf([400, 404])
          expect(bytes.toString(), name).not.to.match(/NOBODY|"Observation"|root:/)
        }
        expectOutcome(await ask(`${other}/Patient-1.ndjson`), 404, 'a file of another job')
        expect((await ask(`${statusUrl}/Patient-1.ndjson`)).status).to.equal(200)
      } finally {
        await rm(beside, { recursive: true })
      }
    })
  })

  describe('while they are read', () => {
    let folder = ''
    let reads: Gate
    let closed: Promise<void>
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
    })
    after(() => rm(folder, { recursive: true }))
    const large = Array.from({ length: 300 }, (_, index) => observation(`o${index}`, 'x'.repeat(100_000)))
    const test = useHost(useDatabase(), () => {
      const inner = fileStorage(folder)
      reads = new Gate()
      const read: typeof inner.read = async (key, range) => {
        await reads.pass()
        const stream = await inner.read(key, range)
        closed = new Promise((resolve) => stream.once('close', resolve))
        return stream
      }
      const profiles = { Observation: pagedProfile([large]) }
      return { profiles, options: { storage: { ...inner, read } } }
    })
    afterEach(() => reads.open())

    /** A download under way: its headers and first bytes are here, far from all of it. */
    async function beginDownload() {
      const statusUrl = await completed(test.host)
      const url = `${statusUrl}/Observation-1.ndjson`
      reads.open()
      const [response] = (await once(request(url).end(), 'response')) as [IncomingMessage]
      await once(response, 'readable')
      return { statusUrl, url, response }
    }

    it('may be left by the client: nothing stays open, and the server answers on', async () => {
      const { statusUrl, url, response } = await beginDownload()
      response.destroy()
      await closed
      expect((await ask(statusUrl)).status).to.equal(200)
      const { headers, bytes } = await ask(url)
      expect(String(bytes.length)).to.equal(headers['content-length'])
      expect(test.host.log.filter(({ level }) => level === 'error')).to.deep.equal([])
    })

    it('may be deleted: the download that is under way is completed [FL-12]', async () => {
      const { statusUrl, url, response } = await beginDownload()
      await test.host.client.remove(statusUrl)
      expect(String((await buffer(response)).length)).to.equal(response.headers['content-length'])
      expect((await ask(url)).status).to.equal(404)
    })

    it('are 404 when they are deleted in the moment before', async () => {
      const statusUrl = await completed(test.host)
      const downloading = ask(`${statusUrl}/Observation-1.ndjson`)
      await reads.reached
      await test.host.client.remove(statusUrl)
      reads.open()
      expectOutcome(await downloading, 404)
    })
  })
})

describe('DELETE of an export', () => {
  let gate: Gate
  let asked: number
  const database = useDatabase()
  const test = useHost(database, () => {
    gate = new Gate()
    asked = 0
    const pages = ['o1', 'o2', 'o3', 'o4'].map((id) => [observation(id)])
    const held = pagedProfile(pages, async (page) => {
      asked += 1
      if (page === 2) await gate.pass()
    })
    const group = { resourceType: 'Group', id: 'g', member: [{ entity: { reference: 'Patient/p1' } }] }
    const options = { maxFileResources: 1, workers: 1 }
    return { resources: [...PATIENTS, group], profiles: { Observation: held }, options }
  })
  afterEach(() => gate.open())

  for (const level of ['system', { group: 'g' }] as const) {
    it(`that runs at ${typeof level === 'string' ? level : 'group'} level stops the worker and leaves nothing [DL-01 DL-02 DL-03 DL-05 DL-06]`, async () => {
      const { host } = test
      const statusUrl = await host.client.kickOff(level)
      await gate.reached
      // The page that is held was asked for while the first one was written.
      const tasks = database.db.collection('bulkexport.tasks')
      await waitForDocument(tasks, ({ type, files }) => type === 'Observation' && files.length > 0)
      expect(await filesOf(host)).to.include(`${idOf(statusUrl)}/Observation-1.ndjson`)
      expectAccepted(await ask(statusUrl, 'DELETE'))
      await expectGone(statusUrl)
      const before = asked
      gate.open()
      await host.bulkExport.stop() // when nothing of the export runs any more
      expect(asked, 'searches after the end').to.equal(before)
      await expectNothingLeft(host)
    })
  }

  it('frees its worker, even if a search never answers', async () => {
    const { client } = test.host
    const statusUrl = await client.kickOff('system', { _type: 'Observation' })
    await gate.reached
    await client.remove(statusUrl)
    const next = idOf(await client.kickOff('system', { _type: 'Patient' }))
    const jobs = database.db.collection<{ _id: string; status: string }>('bulkexport.jobs')
    await waitForDocument(jobs, ({ _id, status }) => _id === next && status === 'completed')
  })

  it('that is complete removes its files and no others [DL-04 DL-05 ERR-13 ERR-14]', async () => {
    gate.open()
    const { host } = test
    const statusUrl = await host.client.kickOff({ group: 'g' })
    const { output } = await host.manifest(statusUrl)
    expect(output).not.to.have.length(0)
    const other = await completed(host)
    const others = (await filesOf(host)).filter((name) => name.startsWith(idOf(other)))
    expectAccepted(await ask(statusUrl, 'DELETE'))
    await expectGone(statusUrl)
    for (const { url } of output) expectOutcome(await ask(url), 404)
    expect(await filesOf(host)).to.deep.equal(others)
    await host.resources(await host.manifest(other))
    await host.client.remove(other)
    await expectNothingLeft(host)
  })

  it('asked for twice at the same time succeeds once', async () => {
    gate.open()
    const statusUrl = await completed(test.host)
    const answers = await Promise.all([ask(statusUrl, 'DELETE'), ask(statusUrl, 'DELETE')])
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([202, 404])
    await expectNothingLeft(test.host)
  })

  async function expectGone(statusUrl: string) {
    for (const method of ['GET', 'DELETE']) expectOutcome(await ask(statusUrl, method), 404, method)
  }

  async function expectNothingLeft(host: TestHost) {
    expect(await readdir(host.folder)).to.deep.equal([])
    for (const { name } of await database.db
      .listCollections({ name: /^bulkexport\.(?!bells|workers)/ })
      .toArray()) {
      expect(await database.db.collection(name).find().toArray(), name).to.deep.equal([])
    }
  }
})

/** A service of pages that `before` can hold back; it goes by its own links and by nothing else. */
function pagedProfile(
  pages: readonly (readonly TestResource[])[],
  before: (page: number) => Promise<void> = async () => {},
): HostProfile {
  const search = async (_args: object, { req }: { readonly req: unknown }) => {
    const page = Number((req as { query: Record<string, string> }).query['page'] ?? 0)
    await before(page)
    const relation = page + 1 < pages.length ? 'next' : 'last'
    const link = [{ relation, url: `Observation?page=${page + 1}` }]
    return { resourceType: 'Bundle', link, entry: pages[page]?.map((resource) => ({ resource })) }
  }
  return { service: { search }, versions: ['4_0_0'] }
}

function observation(id: string, note = ''): TestResource {
  return { resourceType: 'Observation', id, subject: { reference: 'Patient/p1' }, note: [{ text: note }] }
}

/** Exports all resources, or those of one type; gives the status URL. */
async function completed({ client, ended }: TestHost, type?: string): Promise<string> {
  const statusUrl = await client.kickOff('system', type === undefined ? {} : { _type: type })
  await ended(statusUrl)
  return statusUrl
}

const idOf = (statusUrl: string) => statusUrl.split('/').at(-1) as string

/** A path is sent as it is here: `fetch` would tidy it up. */
async function ask(url: string, method = 'GET', headers: Record<string, string> = {}) {
  const [, host, path = ''] = /^http:\/\/([^/]+)(.*)$/.exec(url) ?? []
  const signal = AbortSignal.timeout(10_000)
  const outgoing = request(`http://${host}`, { method, headers, path, signal }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: await buffer(response) }
}

function expectOutcome({ status, headers, bytes }: Answer, expected: number, what?: string) {
  expect([status, headers['content-type']], what).to.deep.equal([expected, 'application/fhir+json'])
  const { resourceType, issue } = JSON.parse(String(bytes))
  expect(resourceType, what).to.equal('OperationOutcome')
  expect(issue[0]).to.include.keys('severity', 'code', 'diagnostics')
}

function expectAccepted({ status, bytes }: Answer) {
  expect([status, bytes.length]).to.deep.equal([202, 0])
}

function expectNotCached({ headers }: Answer) {
  expect([headers['etag'], headers['cache-control']]).to.deep.equal([undefined, 'no-store'])
}

async function filesOf({ folder }: TestHost): Promise<readonly string[]> {
  return [...(await exportFiles(folder))].sort()
}

function strangeIds(real: string): readonly string[] {
  const others = words(`.. . %2e%2e %00 $ne [$ne] __proto__ ${real}0 ${real}%00 ${real}%0a %20${real}`)
  return [...others, '0'.repeat(32), 'F'.repeat(32), 'x'.repeat(5000)]
}

function strangeNames(secret: string, otherId: string): readonly string[] {
  const up = words('..%2f ..%2F %2e%2e%2f ..%5c ..\\ %252e%252e%252f ....%2f%2f ..;%2f')
  const steps = ['../', '%2e%2e/', ...up, ...up.map((step) => step.repeat(2))]
  const encoded = encodeURIComponent(secret)
  return [
    ...steps.map((step) => `${step}secret.ndjson`),
    ...words(`${secret} ${encoded} %2f${encoded} %2fetc%2fpasswd . %2e .. %2e%2e %00 * secret.ndjson`),
    ...words('secret.ndjson%00 Patient-1.ndjson%00 secret.ndjson%00Patient-1.ndjson Patient-1.ndjson%2f'),
    ...words('Patient-1.ndjson%2f..%2fsecret.ndjson patient-1.ndjson Patient-01.ndjson'),
    `..%2f${otherId}%2fObservation-1.ndjson`,
  ]
}

const words = (text: string): readonly string[] => text.split(' ')
