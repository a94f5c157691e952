import { expect } from 'chai'
import type { ByteRange, ExportStorage } from '../../plugin/storage/export-storage.js'
import { digestOf, generatedBytes, MEGABYTE, seededRandom } from './generated-bytes.js'
import { rejectionOf } from './rejection.js'
import { killInUpload, measureElsewhere, type StorageRecipe } from './storage-endurance-process.js'
import type { StorageFixture } from './storage-suite.js'

export type { StorageRecipe } from './storage-endurance-process.js'

/** Where the storages of the endurance suite come from, and how it looks behind them. */
export interface EnduranceFixture extends StorageFixture {
  /** How another process opens the storage that was opened last. */
  recipe(): StorageRecipe
  /**
   * All that is there for the storage that was opened last, past its own code: a key by its name, and whatever is
   * half-made by a name that is no key of the suite's, such as a temporary file or a pending upload.
   */
  everything(): Promise<readonly string[]>
  /**
   * Ends the server at once, and resolves when it answers again on the same address with the same content. Absent:
   * there is no server.
   */
  restart?(): Promise<void>
  /** How large the parts of an upload are, in bytes; 8 MB by default. Sizes are chosen around it. */
  readonly partSize?: number
  /** How large the large file is, in bytes; 1 GB by default. For servers that take minutes for that. */
  readonly largeFile?: number
  /**
   * True where the service has no way to drop a half-made upload without making its key visible for a moment: then
   * that of a failed write may stay until the next `removeOthers` or `removeAll`. By default it has to be gone.
   */
  readonly keepsPending?: boolean
}

/** How much memory a large file may cost. */
const MEMORY_LIMIT = 100 * MEGABYTE
const RANDOM_FAILURES = 10
/** How often what is left is swept, at most, while a server still takes in what a dead process had sent. */
const SWEEPS = 100

/**
 * What `storageSuite` cannot show in milliseconds: large files, many at a time, and all that can go wrong in the
 * middle of one. Call it where Mocha runs, for each storage that passes that suite. Takes some 20 seconds, most of it
 * for the large file.
 */
export function storageEnduranceSuite(name: string, fixture: EnduranceFixture): void {
  const { partSize = 8 * MEGABYTE, keepsPending = false, restart } = fixture
  const { largeFile = 1024 * MEGABYTE } = fixture

  describe(`storage endurance: ${name}`, function () {
    this.timeout(120_000)
    let storage: ExportStorage
    beforeEach('open', async () => {
      storage = await fixture.open()
    })
    afterEach('close', () => fixture.close())

    const stored = async (key: string, range?: ByteRange) => digestOf(await storage.read(key, range))
    const everything = async () => [...(await fixture.everything())].sort()
    const expectMissing = async (key: string) => {
      const outcome = await storage.read(key).then(
        (stream) => {
          stream.on('error', () => undefined).destroy()
          return 'there'
        },
        (error: unknown) => (error as { code?: unknown }).code,
      )
      expect(outcome, key).to.equal('ENOENT')
    }
    /** The server may still be busy with what a process had sent before it died; sweeps come again in life too. */
    const expectSwept = async (sweep: () => Promise<void>, left: readonly string[]) => {
      for (let turn = 1; turn < SWEEPS; turn += 1) {
        await sweep()
        if ((await everything()).join() === [...left].sort().join()) return
      }
      await sweep()
      expect(await everything()).to.deep.equal([...left].sort())
    }

    it(`takes and gives ${largeFile / MEGABYTE} MB with less than 100 MB more memory`, async () => {
      const { before, peak, written, found } = await measureElsewhere({
        recipe: fixture.recipe(),
        key: 'job/large',
        bytes: largeFile,
      })
      expect(found).to.equal(written)
      expect(peak - before, 'more memory, in bytes').to.be.below(MEMORY_LIMIT)
    })

    it('gives ranges of a file of several parts', async () => {
      const size = 3 * partSize + 5
      await storage.write('job/a', pieces(size))
      const bytes = Buffer.concat([...generatedBytes(size)])
      for (const [start, end] of [
        [partSize - 1, partSize],
        [partSize, 2 * partSize - 1],
        [1, size - 2],
        [size - 6, size + partSize],
        [2 * partSize + 1, undefined],
      ] as const) {
        const expected = bytes.subarray(start, end === undefined ? undefined : end + 1)
        const range = end === undefined ? { start } : { start, end }
        expect(await stored('job/a', range), `${start} to ${end}`).to.equal(await digestOf([expected]))
      }
    })

    it('keeps 100 files whole that are written at the same time', async () => {
      const files = Array.from({ length: 100 }, (_, index) => ({
        key: `job/d ${index % 7}/Ünïcode – 名前 ${index}.ndjson`,
        // One of them in several parts, one empty.
        size: index === 50 ? 2 * partSize + 1 : index * 3001,
        seed: index,
      }))
      await Promise.all(files.map(({ key, size, seed }) => storage.write(key, pieces(size, seed))))
      const found = await Promise.all(files.map(({ key }) => stored(key)))
      for (const [index, { key, size, seed }] of files.entries()) {
        expect(found[index], key).to.equal(await digestOf(generatedBytes(size, seed)))
      }
      expect(await everything()).to.deep.equal(files.map(({ key }) => key).sort())
      await storage.removeAll('job')
      expect(await everything()).to.deep.equal([])
    })

    it(`leaves nothing of writes whose source fails at ${RANDOM_FAILURES} random points`, async () => {
      const random = seededRandom(20)
      const points = Array.from({ length: RANDOM_FAILURES }, () => Math.floor(random() * 3.5 * partSize))
      for (const point of [...points, 0, partSize - 1, partSize, 2 * partSize]) {
        const error = await rejectionOf(storage.write('job/a', failingAfter(point)))
        expect(error, `after ${point} bytes`).to.have.property('message', 'the source failed')
        await expectMissing('job/a')
        if (!keepsPending) expect(await everything(), `after ${point} bytes`).to.deep.equal([])
      }
      const size = 2 * partSize + 3
      await storage.write('job/a', pieces(size))
      expect(await stored('job/a')).to.equal(await digestOf(generatedBytes(size)))
      await storage.removeOthers('job', new Set(['job/a']))
      expect(await everything()).to.deep.equal(['job/a'])
    })

    it('leaves nothing of a large write that is aborted', async () => {
      const controller = new AbortController()
      async function* aborting() {
        yield* generatedBytes(2.5 * partSize)
        controller.abort(new Error('stop'))
        yield* generatedBytes(partSize)
      }
      const error = await rejectionOf(storage.write('job/a', aborting(), { signal: controller.signal }))
      expect(error).to.have.property('message', 'stop')
      await expectMissing('job/a')
      if (!keepsPending) expect(await everything()).to.deep.equal([])
      await expectSwept(() => storage.removeAll('job'), [])
    })

    it('never replaces a key with a file of several parts', async () => {
      await storage.write('job/a', pieces(10))
      await rejectionOf(storage.write('job/a', pieces(2.5 * partSize)))
      expect(await stored('job/a')).to.equal(await digestOf(generatedBytes(10)))
      await expectSwept(() => storage.removeOthers('job', new Set(['job/a'])), ['job/a'])
      expect(await stored('job/a')).to.equal(await digestOf(generatedBytes(10)))
    })

    const sweeps: readonly [string, (storage: ExportStorage) => Promise<void>, readonly string[]][] = [
      ['removeOthers', (swept) => swept.removeOthers('job', new Set(['job/kept'])), ['job/kept', 'jobs/a']],
      ['removeAll', (swept) => swept.removeAll('job'), ['jobs/a']],
    ]
    for (const [what, sweep, left] of sweeps) {
      it(`leaves nothing of a process that is killed in a write, after ${what}`, async () => {
        for (const key of ['job/kept', 'jobs/a']) await storage.write(key, pieces(10))
        const bytes = 2.5 * partSize
        await killInUpload({ recipe: fixture.recipe(), key: 'job/killed', bytes })
        await expectMissing('job/killed')
        await expectSwept(() => sweep(storage), left)
        for (const key of left) expect(await stored(key)).to.equal(await digestOf(generatedBytes(10)))
      })
    }

    it('writes a key again that a killed process did not finish', async () => {
      await killInUpload({ recipe: fixture.recipe(), key: 'job/a', bytes: 2.5 * partSize })
      await storage.removeAll('job/a')
      await storage.write('job/a', pieces(1.5 * partSize, 2))
      expect(await stored('job/a')).to.equal(await digestOf(generatedBytes(1.5 * partSize, 2)))
      await expectSwept(() => storage.removeOthers('job', new Set(['job/a'])), ['job/a'])
    })

    if (restart === undefined) return
    const outages: readonly [string, (back: Promise<void>) => AsyncGenerator<Uint8Array>][] = [
      ['while it waits for its source', waiting],
      ['while bytes flow', flowing],
    ]
    for (const [when, meanwhile] of outages) {
      it(`is whole or not there when the server is gone ${when}, and goes on when it is back`, async () => {
        await storage.write('job/before', pieces(10))
        const hashed: Uint8Array[] = []
        let back = Promise.resolve()
        async function* interrupted() {
          yield* generatedBytes(2.5 * partSize)
          back = restart?.() ?? back
          yield* meanwhile(back)
          yield* generatedBytes(2.5 * partSize)
        }
        const outcome = await storage.write('job/a', noted(interrupted(), hashed)).then(
          () => 'whole',
          () => 'failed',
        )
        await back
        if (outcome === 'whole') expect(await stored('job/a')).to.equal(await digestOf(hashed))
        else await expectMissing('job/a')
        await storage.write('job/after', pieces(2.5 * partSize))
        const keys = ['job/before', 'job/after', ...(outcome === 'whole' ? ['job/a'] : [])]
        await expectSwept(() => storage.removeOthers('job', new Set(keys)), keys)
        expect(await stored('job/before')).to.equal(await digestOf(generatedBytes(10)))
        expect(await stored('job/after')).to.equal(await digestOf(generatedBytes(2.5 * partSize)))
      })
    }
  })
}

async function* waiting(back: Promise<void>): AsyncGenerator<Uint8Array> {
  await back
  yield new Uint8Array(0)
}

async function* flowing(back: Promise<void>): AsyncGenerator<Uint8Array> {
  let isBack = false
  back.finally(() => {
    isBack = true
  })
  while (!isBack) {
    yield Buffer.alloc(1000)
    // Lets the server process be looked after, even by a storage that takes bytes without a pause.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function* pieces(size: number, seed?: number): AsyncGenerator<Uint8Array> {
  yield* generatedBytes(size, seed)
}

async function* noted(source: AsyncIterable<Uint8Array>, into: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    into.push(piece)
    yield piece
  }
}

async function* failingAfter(size: number): AsyncGenerator<Uint8Array> {
  yield* generatedBytes(size)
  throw new Error('the source failed')
}
