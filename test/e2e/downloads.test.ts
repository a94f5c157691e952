import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rename, rm, truncate } from 'node:fs/promises'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { HostProfile } from '../../plugin/index.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { type Answer, ask, exportedFile, type Headers, plainOf } from '../support/download.js'
import { startHost, type TestHost, useHost } from '../support/export-host.js'
import { useDatabase, useSuiteDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'

const GZIP = { 'Accept-Encoding': 'gzip, deflate' }
const UNCACHED = { 'cache-control': 'private, no-store', vary: 'Origin, Accept-Encoding' }
const NDJSON = { ...UNCACHED, 'content-type': 'application/fhir+ndjson' }
const BASICS = Array.from({ length: 50 }, (_, index) => {
  return { resourceType: 'Basic', id: `b${index}`, text: `é€😀 ${index}` }
})

for (const kept of ['plain', 'compressed'] as const) {
  describe(`a download of a file that is kept ${kept}`, () => {
    const reads: string[] = []
    const database = useSuiteDatabase()
    let host: TestHost
    let folder: string
    let url: string
    let path: string
    let bytes: Buffer
    /** Known before it is sent only of a file that is kept compressed. */
    let compressedLength: Headers
    let tags: { readonly plain: string; readonly gzip: string }
    before('export', async () => {
      folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
      const storage = fileStorage(folder)
      const read: typeof storage.read = (key, range) => {
        reads.push(key)
        return storage.read(key, range)
      }
      host = await startHost(database, {
        resources: BASICS,
        options: {
          storage: { ...storage, read },
          compressFiles: kept === 'compressed',
          authorize: async ({ headers }) => ({ clientId: headers['x-client'] ?? 'anybody', types: 'all' }),
        },
        before: (_request, response, next) => {
          response.vary('Origin')
          next()
        },
      })
      ;({ url, path } = await exportedFile(host, 'Basic', folder))
      const stored = await readFile(path)
      bytes = kept === 'compressed' ? gunzipSync(stored) : stored
      compressedLength = kept === 'compressed' ? { 'content-length': String(stored.length) } : {}
      tags = { plain: tagOf(await ask(url)), gzip: tagOf(await ask(url, GZIP)) }
    })
    beforeEach(() => {
      reads.length = 0
    })
    after(async () => {
      await host.close()
      await rm(folder, { recursive: true })
    })

    /** All of the file, as it is. */
    function expectWhole(answer: Answer, what?: string) {
      expect([answer.status, answer.bytes.equals(bytes)], what).to.deep.equal([200, true])
      expect(named(answer.headers), what).to.deep.equal({
        ...NDJSON,
        'content-length': String(bytes.length),
        'accept-ranges': 'bytes',
        etag: tags.plain,
      })
    }

    /** All of the file, compressed. */
    function expectCompressed(answer: Answer, what?: string) {
      expect([answer.status, gunzipSync(answer.bytes).equals(bytes)], what).to.deep.equal([200, true])
      expect(named(answer.headers), what).to.deep.equal({
        ...NDJSON,
        ...compressedLength,
        'content-encoding': 'gzip',
        etag: tags.gzip,
      })
    }

    function expectSlice(answer: Answer, start: number, end: number, what?: string) {
      expect(answer.status, what).to.equal(206)
      expect(answer.bytes.toString('hex'), what).to.equal(bytes.subarray(start, end + 1).toString('hex'))
      expect(named(answer.headers), what).to.deep.equal({
        ...NDJSON,
        'content-length': String(end - start + 1),
        'content-range': `bytes ${start}-${end}/${bytes.length}`,
        'accept-ranges': 'bytes',
        etag: tags.plain,
      })
    }

    it('is the file as it is on the disk [FL-01 FL-02 FL-03]', async () => {
      expectWhole(await ask(url))
      expectWhole(await ask(url, { Accept: 'application/fhir+ndjson' }), 'as the guide has it')
    })

    it('is compressed when the client would rather have that [FL-04]', async () => {
      const yes = ['gzip', 'x-gzip', '*', 'br, gzip;q=0.1', 'gzip;q=0.5, identity;q=0.5', 'identity;q=0, *']
      for (const accepted of yes) expectCompressed(await ask(url, { 'Accept-Encoding': accepted }), accepted)
      const no = ['', 'identity', 'deflate, br', 'gzip;q=0', 'gzip;q=0, *', '*;q=0', 'gzip;q=0.5, identity']
      for (const accepted of no) expectWhole(await ask(url, { 'Accept-Encoding': accepted }), accepted)
    })

    it('has a strong tag of its own for each file and coding, and keeps it [FL-14]', async () => {
      expect(tags.plain).to.match(/^"[!#-~]+"$/)
      expect(tags.gzip).to.equal(tags.plain.replace(/"$/, '-gzip"'))
      expect(tagOf(await ask(url))).to.equal(tags.plain)
      const other = await exportedFile(host, 'Basic', folder)
      expect(tagOf(await ask(other.url))).not.to.equal(tags.plain)
    })

    it('by HEAD has the headers of GET and opens nothing', async () => {
      for (const headers of [{}, GZIP, { 'If-None-Match': tags.plain }, { ...GZIP, 'If-None-Match': '*' }]) {
        const get = await ask(url, headers)
        reads.length = 0
        const head = await ask(url, headers, 'HEAD')
        const what = JSON.stringify(headers)
        expect([head.status, head.bytes.length, reads.length], what).to.deep.equal([get.status, 0, 0])
        expect(named(head.headers), what).to.deep.equal(named(get.headers))
      }
      const { status } = await ask(url, { Range: 'bytes=9999999-' }, 'HEAD')
      expect(status, 'ranges are for GET').to.equal(200)
    })

    it('of a range is that slice, plain, whatever coding is asked for [FL-13]', async () => {
      const last = bytes.length - 1
      const ranges: readonly (readonly [string, number, number])[] = [
        ['0-0', 0, 0],
        ['7-70', 7, 70],
        ['7-', 7, last],
        [`${last}-`, last, last],
        ['-1', last, last],
        ['-100', last - 99, last],
        [`0-${last}`, 0, last],
        ['10-99999999999999999999', 10, last],
        ['-99999999999999999999', 0, last],
      ]
      for (const [range, start, end] of ranges) {
        for (const more of [{}, GZIP, { 'If-Range': tags.plain }, { 'Accept-Encoding': 'identity;q=0, *' }]) {
          expectSlice(await ask(url, { Range: `bytes=${range}`, ...more }), start, end, range)
        }
      }
    })

    it('of a range outside of the file is 416', async () => {
      const size = bytes.length
      for (const range of [`${size}-`, `${size}-${size + 5}`, '-0', '99999999999999999999-']) {
        const answer = await ask(url, { Range: `bytes=${range}`, ...GZIP })
        expectOutcome(answer, 416, range)
        expect(answer.headers, range).to.include({ 'content-range': `bytes */${size}` })
        expect(answer.headers, range).not.to.have.any.keys('etag', 'content-encoding')
      }
      expect(reads).to.deep.equal([])
    })

    it('of several ranges, or of none that can be read, is the whole file, plain', async () => {
      const ranges = ['bytes=0-1,5-6', 'bytes=0-1, -1', 'bytes=5-2', 'bytes=-', 'lines=0-1', 'bytes']
      for (const range of ranges) expectWhole(await ask(url, { Range: range, ...GZIP }), range)
    })

    it('of a range of another version of the file is the whole file, plain', async () => {
      const others = [tags.gzip, `W/${tags.plain}`, '"x"', 'Wed, 21 Oct 2015 07:28:00 GMT', '*', '']
      for (const other of others) {
        for (const range of ['bytes=5-9', 'bytes=99999999-']) {
          expectWhole(await ask(url, { Range: range, 'If-Range': other, ...GZIP }), other)
        }
      }
      expectCompressed(await ask(url, { 'If-Range': '"x"', ...GZIP }), 'If-Range alone')
    })

    it('of what the client has is 304', async () => {
      const { plain, gzip } = tags
      const cases: readonly (readonly [string, Headers, string])[] = [
        [plain, {}, plain],
        [`W/${plain}`, {}, plain],
        [`"a", ${plain}, "b"`, {}, plain],
        ['*', {}, plain],
        ['*', GZIP, gzip],
        [gzip, GZIP, gzip],
        [gzip, {}, gzip],
        [plain, GZIP, plain],
        [plain, { Range: 'bytes=0-5' }, plain],
        [plain, { Range: 'bytes=99999999-' }, plain],
      ]
      for (const [known, more, etag] of cases) {
        const answer = await ask(url, { 'If-None-Match': known, ...more })
        expect([answer.status, answer.bytes.length], known).to.deep.equal([304, 0])
        expect(named(answer.headers), known).to.deep.equal({
          ...UNCACHED,
          etag,
        })
      }
      expect(reads).to.deep.equal([])
    })

    it('of what the client has another version of is the file', async () => {
      for (const known of ['"x"', tags.plain.replaceAll('"', ''), `${tags.plain}x`.replace('"x', 'x"'), '']) {
        expectWhole(await ask(url, { 'If-None-Match': known }), known)
      }
      expectCompressed(await ask(url, { 'If-None-Match': '"x"', ...GZIP }))
    })

    it('of another client is 404, however it is asked for', async () => {
      const ways = [{}, GZIP, { Range: 'bytes=0-1' }, { Range: 'bytes=99999999-' }, { 'If-None-Match': '*' }]
      for (const headers of ways) {
        const answer = await ask(url, { ...headers, 'X-Client': 'other' })
        expectOutcome(answer, 404, JSON.stringify(headers))
        expect(answer.headers).not.to.have.any.keys('etag', 'content-range', 'content-encoding')
        expect((await ask(url, { ...headers, 'X-Client': 'other' }, 'HEAD')).status).to.equal(404)
      }
    })

    it('of a file that is gone is 404, however it is asked for [FL-11 ERR-14]', async () => {
      await rename(path, `${path}.away`)
      try {
        for (const headers of [{}, GZIP, { Range: 'bytes=0-1' }]) {
          const answer = await ask(url, headers)
          expectOutcome(answer, 404, JSON.stringify(headers))
          expect(answer.headers).not.to.have.any.keys('etag', 'content-range', 'content-encoding')
        }
      } finally {
        await rename(`${path}.away`, path)
      }
    })
  })

  describe(`a large download of a file that is kept ${kept}`, () => {
    let folder: string
    let gate: Gate
    let isBroken: boolean
    let streams: { readonly stream: Readable; readonly closed: Promise<void> }[]
    let responses: Promise<void>[]
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
    })
    after(() => rm(folder, { recursive: true }))
    // More than sockets take in, compressed or not.
    const large = Array.from({ length: 22 }, (_, index) => {
      return { resourceType: 'Basic', id: `b${index}`, text: randomBytes(600_000).toString('base64') }
    })
    const test = useHost(useDatabase(), () => {
      ;[gate, isBroken, streams, responses] = [new Gate(), false, [], []]
      const inner = fileStorage(folder)
      const read: typeof inner.read = async (key, range) => {
        await gate.pass()
        const file = await inner.read(key, range)
        const stream = isBroken ? Readable.from(thatBreaks(file)) : file
        streams.push({ stream, closed: new Promise((resolve) => file.once('close', resolve)) })
        return stream
      }
      return {
        profiles: { Basic: profileOf(large) },
        options: { storage: { ...inner, read }, compressFiles: kept === 'compressed' },
        before: (_request, response, next) => {
          responses.push(new Promise((resolve) => response.once('close', resolve)))
          next()
        },
      }
    })
    afterEach(() => gate.open())
    const errors = () => test.host.log.filter(({ level }) => level === 'error')

    const codings: readonly (readonly [string, Headers])[] = [
      ['plain', {}],
      ['compressed', GZIP],
      ['in part', { Range: 'bytes=10-' }],
    ]
    for (const [how, headers] of codings) {
      describe(how, () => {
        it('may be left by the client: nothing stays open', async () => {
          const { url } = await exportedFile(test.host, 'Basic', folder)
          gate.open()
          const response = await begin(url, headers)
          response.destroy()
          await streams[0]?.closed
          expect(streams).to.have.length(1)
          const { status, bytes } = await ask(url, headers)
          expect([status, bytes.length > 10_000_000]).to.deep.equal([how === 'in part' ? 206 : 200, true])
          expect(errors()).to.deep.equal([])
        })

        it('may be left before the file is open: nothing stays open', async () => {
          const { url } = await exportedFile(test.host, 'Basic', folder)
          const outgoing = request(url, { headers })
            .on('error', () => {})
            .end()
          await gate.reached
          outgoing.destroy()
          await responses.at(-1)
          gate.open()
          expect((await ask(url, headers)).bytes.length).to.be.above(10_000_000)
          await Promise.all(streams.map(({ closed }) => closed))
          expect(streams).to.have.length(2)
          expect(errors()).to.deep.equal([])
        })

        for (const fault of ['a storage that fails on the way', 'a file that is shorter than it was']) {
          it(`breaks off with ${fault}`, async () => {
            const { url, path } = await exportedFile(test.host, 'Basic', folder)
            gate.open()
            isBroken = fault.startsWith('a storage')
            if (!isBroken) await truncate(path, 5_000_000)
            expect(await outcomeOf(ask(url, headers))).to.equal('ECONNRESET')
            await streams[0]?.closed
            expect(errors()).to.have.length(1)
          })
        }
      })
    }

    it('that broke off is gone on with by Range, to the same bytes [FL-13]', async () => {
      const { url, path } = await exportedFile(test.host, 'Basic', folder)
      gate.open()
      const response = await begin(url)
      const start: Buffer = response.read()
      response.destroy()
      const range = { Range: `bytes=${start.length}-`, 'If-Range': String(response.headers.etag) }
      const rest = await ask(url, range)
      expect([start.length > 0, rest.status]).to.deep.equal([true, 206])
      expect(Buffer.concat([start, rest.bytes]).equals(await plainOf(path))).to.equal(true)
    })

    it('is the same bytes compressed, for any client', async () => {
      const { url, path } = await exportedFile(test.host, 'Basic', folder)
      gate.open()
      const fetched = await fetch(url)
      expect(fetched.headers.get('content-encoding')).to.equal('gzip')
      expect(Buffer.from(await fetched.arrayBuffer()).equals(await plainOf(path))).to.equal(true)
    })
  })
}

async function* thatBreaks(file: Readable) {
  let count = 0
  for await (const chunk of file) {
    yield chunk
    count += 1
    if (count === 40) throw new Error('the disk is on fire')
  }
}

/** A service that has these resources and one page for all. */
function profileOf(resources: readonly object[]): HostProfile {
  const entry = resources.map((resource) => ({ resource }))
  return { service: { search: async () => ({ resourceType: 'Bundle', entry }) }, versions: ['4_0_0'] }
}

/** A download under way: its headers and first bytes are here, far from all of it. */
async function begin(url: string, headers: Headers = {}): Promise<IncomingMessage> {
  const [response] = (await once(request(url, { headers }).end(), 'response')) as [IncomingMessage]
  await once(response, 'readable')
  return response
}

const outcomeOf = (asking: Promise<Answer>) =>
  asking.then(({ status }) => status).catch(({ code }: NodeJS.ErrnoException) => code)

const tagOf = ({ headers }: Answer) => String(headers.etag)

const OTHERS = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'x-powered-by'])

/** The headers that say something about the file. */
function named(headers: IncomingHttpHeaders): object {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OTHERS.has(name)))
}

function expectOutcome({ status, headers, bytes }: Answer, expected: number, what: string) {
  expect([status, headers['content-type']], what).to.deep.equal([expected, 'application/fhir+json'])
  const { resourceType, issue } = JSON.parse(String(bytes))
  expect([resourceType, issue[0].severity], what).to.deep.equal(['OperationOutcome', 'error'])
}
