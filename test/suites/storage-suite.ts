import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { expect } from 'chai'
import type { ByteRange, ExportStorage } from '../../plugin/storage/export-storage.js'
import { rejectionOf } from './rejection.js'

/** Where the storages of a suite come from. */
export interface StorageFixture {
  /** An empty storage; called before each test. */
  open(): Promise<ExportStorage>
  /** Called after each test. */
  close(): Promise<void>
}

/**
 * The contract of `ExportStorage` as tests: call it where Mocha runs, for each storage that keeps it. It needs
 * Mocha's globals and `chai`.
 */
export function storageSuite(name: string, { open, close }: StorageFixture): void {
  describe(`storage: ${name}`, () => {
    let storage: ExportStorage
    beforeEach('open', async () => {
      storage = await open()
    })
    afterEach('close', () => close())

    const read = async (key: string, range?: ByteRange) => buffer(await storage.read(key, range))
    const text = async (key: string, range?: ByteRange) => (await read(key, range)).toString()
    const write = (key: string, content: string) => storage.write(key, source(content))
    /** The call itself rejects, before there is a stream that could already have been promised to somebody. */
    const expectMissing = async (key: string) => {
      const outcome = await storage.read(key).then(
        (stream) => {
          stream.on('error', () => {}).destroy()
          return 'there'
        },
        () => 'missing',
      )
      expect(outcome, key).to.equal('missing')
    }

    it('passes its own check', async () => {
      await storage.check()
    })

    it('leaves nothing of its check behind', async () => {
      await storage.check()
      await storage.check()
      await storage.removeAll('none')
    })

    describe('write and read', () => {
      const contents: readonly [string, readonly string[]][] = [
        ['nothing', []],
        ['an empty piece', ['']],
        ['one piece', ['{"resourceType":"Patient"}\n']],
        ['several pieces, some of them empty', ['a', '', 'b', 'c\n', '']],
        ['text beyond ASCII', ['ä€', '日本\u{1f600}\n']],
      ]
      for (const [what, pieces] of contents) {
        it(`keep ${what}`, async () => {
          await storage.write('job/Patient-1.ndjson', source(...pieces), {
            contentType: 'application/fhir+ndjson',
          })
          expect(await text('job/Patient-1.ndjson')).to.equal(pieces.join(''))
        })
      }

      it('keep bytes that are no text', async () => {
        const bytes = randomBytes(1000)
        // A plain Uint8Array that begins within another buffer.
        const view = new Uint8Array(bytes.buffer, bytes.byteOffset + 1, 998)
        await storage.write('job/a', pieces(view))
        expect((await read('job/a')).equals(bytes.subarray(1, 999))).to.equal(true)
      })

      it('keep several megabytes in many pieces', async () => {
        const hash = createHash('sha256')
        const sizes = Array.from({ length: 90 }, (_, index) => (index * 7919) % 200_000)
        async function* large() {
          for (const size of sizes) {
            const piece = randomBytes(size)
            hash.update(piece)
            yield piece
          }
        }
        await storage.write('job/large', large())
        const found = await read('job/large')
        expect(found.length).to.equal(sizes.reduce((sum, size) => sum + size, 0))
        expect(createHash('sha256').update(found).digest('hex')).to.equal(hash.digest('hex'))
      })

      for (const key of [
        'a',
        'job/Patient-1.ndjson',
        'deep/er/and/deeper/a.ndjson',
        'with space/ and more .txt',
        'ä€日/\u{1f600}.ndjson',
        'odd/100%25 & #+=;@!$(),[]{}~^.x',
        'dots/..a',
        'dots/a..',
        'dots/...',
        '.hidden/.a',
      ]) {
        it(`take the key ${key}`, async () => {
          await write(key, `content of ${key}`)
          expect(await text(key)).to.equal(`content of ${key}`)
        })
      }

      it('keep keys apart that differ little', async () => {
        const keys = ['job/a', 'job/a.b', 'job/a1', 'jobs/a', 'job/a%20', 'job/a b', 'job/ä', 'job/ab']
        for (const key of keys) await write(key, `content of ${key}`)
        for (const key of keys) expect(await text(key)).to.equal(`content of ${key}`)
      })

      it('keep what the pieces were when they came, though their bytes are used again', async () => {
        const sizes = [100_000, 1, 300_000, 64, 200_000]
        async function* reused() {
          const buffer = Buffer.alloc(300_000)
          for (const [index, size] of sizes.entries()) {
            buffer.fill(97 + index)
            yield buffer.subarray(0, size)
          }
          buffer.fill('!')
        }
        await storage.write('job/a', reused())
        const expected = sizes.map((size, index) => String.fromCharCode(97 + index).repeat(size)).join('')
        expect((await text('job/a')) === expected, 'the same').to.equal(true)
      })

      it('may go on at the same time for different keys', async () => {
        const keys = Array.from({ length: 12 }, (_, index) => `job${index % 3}/file-${index}`)
        await Promise.all(keys.map((key) => write(key, key.repeat(5000))))
        for (const key of keys) expect(await text(key)).to.equal(key.repeat(5000))
      })
    })

    describe('a key', () => {
      it('that does not exist cannot be read', async () => {
        await write('job/a', 'x')
        for (const key of ['job/b', 'other/a', 'job', 'job/a/b']) await expectMissing(key)
      })

      it('does not exist until its write resolves', async () => {
        const reached = deferred()
        const go = deferred()
        async function* slow() {
          yield Buffer.alloc(300_000, 'x')
          reached.resolve()
          await go.promise
          yield Buffer.from('end')
        }
        const writing = storage.write('job/a', slow())
        await reached.promise
        await expectMissing('job/a')
        go.resolve()
        await writing
        expect((await read('job/a')).length).to.equal(300_003)
      })

      it('that exists is never replaced', async () => {
        await write('job/a', 'first')
        await rejectionOf(write('job/a', 'second, which is longer'))
        await rejectionOf(storage.write('job/a', source()))
        expect(await text('job/a')).to.equal('first')
      })

      it('that two write at the same time gets one of them, whole', async () => {
        const outcomes = await Promise.allSettled([
          write('job/a', 'x'.repeat(100_000)),
          write('job/a', 'y'.repeat(100_000)),
        ])
        expect(outcomes.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected'])
        const winner = outcomes[0]?.status === 'fulfilled' ? 'x' : 'y'
        expect(await text('job/a')).to.equal(winner.repeat(100_000))
      })

      for (const key of [
        ...['', '/', '.', '..', '/x', 'x/', '../x', 'a/../x', 'a/../../x', 'a/./x', 'a//x', './x', 'a/..'],
        ...['a\\..\\..\\x', '..\\x', 'x\0', 'a/x\0.ndjson', `a/${'x'.repeat(2000)}`],
      ]) {
        it(`may not be ${JSON.stringify(key.slice(0, 24))}`, async () => {
          await rejectionOf(write(key, 'x'))
          await rejectionOf(read(key))
        })
      }
    })

    describe('a write that fails', () => {
      it('because of its source rejects with the reason, and leaves nothing', async () => {
        for (const before of [0, 1, 3]) {
          async function* failing() {
            for (let index = 0; index < before; index += 1) yield Buffer.alloc(200_000, 'x')
            throw new Error('the source failed')
          }
          const error = await rejectionOf(storage.write('job/a', failing()))
          expect(error).to.have.property('message', 'the source failed')
          await expectMissing('job/a')
        }
        await write('job/a', 'again')
        expect(await text('job/a')).to.equal('again')
      })

      it('because it was aborted leaves nothing', async () => {
        const controller = new AbortController()
        async function* aborting() {
          yield Buffer.alloc(200_000, 'x')
          controller.abort(new Error('stop'))
          yield Buffer.from('more')
        }
        await rejectionOf(storage.write('job/a', aborting(), { signal: controller.signal }))
        await expectMissing('job/a')
        await write('job/a', 'again')
        expect(await text('job/a')).to.equal('again')
      })

      it('because it was aborted before it began leaves nothing', async () => {
        const signal = AbortSignal.abort(new Error('stop'))
        await rejectionOf(storage.write('job/a', source('x'), { signal }))
        await expectMissing('job/a')
      })

      it('ends its source, whether that is aborted or fails', async () => {
        const controller = new AbortController()
        let isClosed = false
        async function* closing() {
          try {
            yield Buffer.from('x')
            controller.abort(new Error('stop'))
            for (;;) yield Buffer.from('x')
          } finally {
            isClosed = true
          }
        }
        await rejectionOf(storage.write('job/a', closing(), { signal: controller.signal }))
        expect(isClosed).to.equal(true)
      })

      it('because it was aborted while its source waits for something that never comes', async () => {
        const controller = new AbortController()
        const reached = deferred()
        async function* stuck() {
          yield Buffer.from('x')
          reached.resolve()
          await new Promise(() => {})
        }
        let isOver = false
        const writing = storage.write('job/a', stuck(), { signal: controller.signal }).catch(() => {
          isOver = true
        })
        await reached.promise
        controller.abort(new Error('stop'))
        await writing
        expect(isOver, 'rejected').to.equal(true)
        await expectMissing('job/a')
      })
    })

    describe('ranges', () => {
      const content = 'aä€\u{1f600}0123456789'
      const bytes = Buffer.from(content)
      const ranges: readonly ByteRange[] = [
        { start: 0 },
        { start: 0, end: 0 },
        { start: 0, end: bytes.length - 1 },
        { start: 2, end: 5 },
        { start: 7 },
        { start: bytes.length - 1 },
        { start: 3, end: 1000 },
      ]
      for (const range of ranges) {
        it(`from ${range.start} to ${range.end ?? 'the end'}`, async () => {
          await write('job/a', content)
          const expected = bytes.subarray(range.start, range.end === undefined ? undefined : range.end + 1)
          expect((await read('job/a', range)).toString('hex')).to.equal(expected.toString('hex'))
        })
      }
    })

    describe('removeOthers', () => {
      it('leaves the keys that are named, and all of other prefixes', async () => {
        const keys = ['job/a', 'job/b', 'job/c', 'job/sub/d', 'jobs/a', 'job2/a', 'other/b']
        for (const key of keys) await write(key, key)
        await storage.removeOthers('job', new Set(['job/b', 'job/sub/d', 'job/not-there']))
        const left = ['job/b', 'job/sub/d', 'jobs/a', 'job2/a', 'other/b']
        for (const key of left) expect(await text(key)).to.equal(key)
        for (const key of keys) if (!left.includes(key)) await expectMissing(key)
      })

      it('leaves nothing when no key is named, and is fine with nothing', async () => {
        await write('job/a', 'x')
        await storage.removeOthers('job/', new Set())
        await expectMissing('job/a')
        await storage.removeOthers('job', new Set())
        await storage.removeOthers('none', new Set(['none/a']))
      })
    })

    describe('removeAll', () => {
      it('removes a job and nothing else', async () => {
        const keys = ['abc/1', 'abc/2', 'abc/d/3', 'abcd/1', 'ab/1', 'xabc/1', 'x/abc/1', 'abc.x/1']
        for (const key of keys) await write(key, key)
        await storage.removeAll('abc')
        for (const key of keys) {
          if (key.startsWith('abc/')) await expectMissing(key)
          else expect(await text(key)).to.equal(key)
        }
      })

      it('removes one file and nothing else', async () => {
        const keys = [
          'job/Patient-1.ndjson',
          'job/Patient-10.ndjson',
          'job/Patient-1.ndjson.gz',
          'job/Patient-2.ndjson',
        ]
        for (const key of keys) await write(key, key)
        await storage.removeAll('job/Patient-1.ndjson')
        await expectMissing(keys[0] as string)
        for (const key of keys.slice(1)) expect(await text(key)).to.equal(key)
      })

      it('takes a prefix that ends with a slash', async () => {
        for (const key of ['abc/1', 'abcd/1']) await write(key, key)
        await storage.removeAll('abc/')
        await expectMissing('abc/1')
        expect(await text('abcd/1')).to.equal('abcd/1')
      })

      it('is fine with none, and with being called again', async () => {
        await write('job/a', 'x')
        await storage.removeAll('other')
        await storage.removeAll('job/b')
        expect(await text('job/a')).to.equal('x')
        await storage.removeAll('job')
        await storage.removeAll('job')
        await expectMissing('job/a')
      })

      it('removes many', async () => {
        const keys = Array.from({ length: 60 }, (_, index) => `many/${index}`)
        await Promise.all(keys.map((key) => write(key, key)))
        await storage.removeAll('many')
        for (const key of keys) await expectMissing(key)
      })

      it('lets a key be written again', async () => {
        await write('job/a', 'first')
        await storage.removeAll('job')
        await write('job/a', 'second')
        expect(await text('job/a')).to.equal('second')
      })

      for (const prefix of ['', '/', '.', '..', '../x', 'a/../..', 'a//', '/a', 'x\0', '..\\a']) {
        it(`refuses ${JSON.stringify(prefix)}`, async () => {
          await write('a/1', 'x')
          await rejectionOf(storage.removeAll(prefix))
          expect(await text('a/1')).to.equal('x')
        })
      }
    })
  })
}

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}

async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* pieces(...given: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* given
}
