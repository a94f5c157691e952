import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { storageSuite } from '../suites/storage-suite.js'

async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const content of texts) yield Buffer.from(content)
}

let parent: string
const openFolder = async () => {
  parent = await mkdtemp(join(tmpdir(), 'bulk-export-files-'))
  await writeFile(join(parent, 'outside.txt'), 'untouched')
}
const closeFolder = () => rm(parent, { recursive: true, force: true })
/** Everything below the parent folder, and so also what got out of the storage. */
const files = async () => {
  const entries = await readdir(parent, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(parent, join(entry.parentPath, entry.name)))
    .sort()
}

storageSuite('the local disk', {
  async open() {
    await openFolder()
    return fileStorage(join(parent, 'exports'))
  },
  async close() {
    expect(await readFile(join(parent, 'outside.txt'), 'utf8')).to.equal('untouched')
    await closeFolder()
  },
})

describe('fileStorage', () => {
  let storage: ExportStorage
  beforeEach(async () => {
    await openFolder()
    storage = fileStorage(join(parent, 'exports'))
  })
  afterEach(() => closeFolder())

  it('keeps each key as a file of the same path', async () => {
    await storage.write('job/Patient-1.ndjson', source('a\n'))
    await storage.write('job/d/ä 1', source('b'))
    expect(await files()).to.deep.equal(['exports/job/Patient-1.ndjson', 'exports/job/d/ä 1', 'outside.txt'])
    expect(await readFile(join(parent, 'exports/job/Patient-1.ndjson'), 'utf8')).to.equal('a\n')
  })

  it('takes a path, a file: URL, and a URL object for the same folder', async () => {
    const folder = join(parent, 'exports with space')
    await fileStorage(folder).write('job/a', source('x'))
    for (const place of [
      pathToFileURL(folder),
      pathToFileURL(folder).href,
      relative(process.cwd(), folder),
    ]) {
      expect(await text(await fileStorage(place).read('job/a'))).to.equal('x')
    }
  })

  it('opens nothing and makes nothing by itself', async () => {
    expect(await files()).to.deep.equal(['outside.txt'])
    expect(await readdir(parent)).to.deep.equal(['outside.txt'])
  })

  for (const key of ['../x', 'a/../../x', '/x', '../outside.txt', '../exports2/x', '..\\x']) {
    it(`writes and removes nothing elsewhere for ${key}`, async () => {
      const attempts = [
        storage.write(key, source('x')),
        storage.removeAll(key),
        storage.read(key).then((stream) => text(stream)),
      ]
      const outcomes = await Promise.allSettled(attempts)
      expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected'])
      expect(await files()).to.deep.equal(['outside.txt'])
    })
  }

  it('leaves no temporary file when the source fails, when it is aborted, or when the key is taken', async () => {
    await storage.write('job/a', source('first'))
    async function* failing() {
      yield Buffer.from('x')
      throw new Error('no more')
    }
    const signal = AbortSignal.abort()
    const outcomes = await Promise.allSettled([
      storage.write('job/b', failing()),
      storage.write('job/c', source('x'), { signal }),
      storage.write('job/a', source('second')),
    ])
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected'])
    expect(await files()).to.deep.equal(['exports/job/a', 'outside.txt'])
  })

  it('removes with a job also what a worker that died left there', async () => {
    await storage.write('job/a', source('x'))
    await writeFile(join(parent, 'exports/job/.left-over.part'), 'half of a fi')
    await storage.removeAll('job')
    expect(await files()).to.deep.equal(['outside.txt'])
    expect(await readdir(join(parent, 'exports'))).to.deep.equal([])
  })

  it('rejects a write whose job is removed meanwhile', async () => {
    async function* slow() {
      yield Buffer.from('a')
      await storage.removeAll('job')
      yield Buffer.from('b')
    }
    const [outcome] = await Promise.allSettled([storage.write('job/a', slow())])
    expect(outcome?.status).to.equal('rejected')
    expect(await files()).to.deep.equal(['outside.txt'])
  })

  it('closes a file whose reader gives up', async () => {
    await storage.write('job/a', source('x'.repeat(1_000_000)))
    const before = await openFiles()
    const streams = await Promise.all(Array.from({ length: 20 }, () => storage.read('job/a')))
    for (const stream of streams) {
      const closed = new Promise((resolve) => stream.once('close', resolve))
      stream.destroy()
      await closed
    }
    expect(await openFiles()).to.equal(before)
  })

  it('closes its files whatever became of a write', async () => {
    const before = await openFiles()
    for (let turn = 0; turn < 20; turn += 1) {
      const controller = new AbortController()
      async function* aborting() {
        yield Buffer.from('x')
        controller.abort()
        yield Buffer.from('y')
      }
      await storage.write(`job/${turn}`, aborting(), { signal: controller.signal }).catch(() => {})
      await storage.write('job/a', source('x')).catch(() => {})
    }
    expect(await openFiles()).to.equal(before)
  })

  describe('check', () => {
    it('makes the folder and leaves it empty', async () => {
      await fileStorage(join(parent, 'new/er')).check()
      expect((await stat(join(parent, 'new/er'))).isDirectory()).to.equal(true)
      expect(await readdir(join(parent, 'new/er'))).to.deep.equal([])
    })

    it('leaves what is there as it is', async () => {
      await storage.write('job/a', source('x'))
      await storage.check()
      expect(await files()).to.deep.equal(['exports/job/a', 'outside.txt'])
    })

    // Permissions do not stop the superuser, who often runs tests; these places stop everybody.
    const places: readonly [string, () => string][] = [
      ['a regular file', () => join(parent, 'outside.txt')],
      ['a path below a regular file', () => join(parent, 'outside.txt', 'exports')],
      ['a name that no disk takes', () => join(parent, 'x'.repeat(300))],
    ]
    for (const [name, place] of places) {
      it(`names the folder and the reason when it is ${name}`, async () => {
        const folder = place()
        const error: unknown = await fileStorage(folder)
          .check()
          .catch((reason: unknown) => reason)
        expect(error).to.be.instanceOf(Error)
        const { message, cause } = error as Error
        expect(message).to.include(folder)
        expect(message).to.match(/E[A-Z]{3,}/)
        expect(cause).to.have.property('code')
        expect(await readFile(join(parent, 'outside.txt'), 'utf8')).to.equal('untouched')
      })
    }
  })

  it('writes nothing where a folder is in the way', async () => {
    await mkdir(join(parent, 'exports/job/a'), { recursive: true })
    const [outcome] = await Promise.allSettled([storage.write('job/a', source('x'))])
    expect(outcome?.status).to.equal('rejected')
    expect(await files()).to.deep.equal(['outside.txt'])
  })
})

/** Linux only; elsewhere it says the same each time. */
async function openFiles(): Promise<number> {
  return (await readdir('/proc/self/fd').catch(() => [])).length
}
