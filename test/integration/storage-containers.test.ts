import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { folderContainers, storageContainers } from '../../plugin/storage/containers.js'
import { ContainerError, type ExportStorage } from '../../plugin/storage/export-storage.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { s3Storage } from '../../plugin/storage/s3.js'
import { storageSuite } from '../suites/storage-suite.js'
import { objectsOf, pendingUploads } from '../support/s3-content.js'
import { useVersitygw } from '../support/versitygw.js'
import { withinContainer } from '../support/within-container.js'

const FOLDER = `20240501T120000Z_${'4f'.repeat(16)}`
const OTHER = `20240501T120000Z_${'50'.repeat(16)}`
const OWN = FOLDER.toLowerCase().replace('_', '-')

async function* source(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

let root: string
const openRoot = async () => {
  root = await mkdtemp(join(tmpdir(), 'bulk-export-containers-'))
  return root
}
const closeRoot = () => rm(root, { recursive: true, force: true })
const disk = (name: string) => fileStorage(join(root, name))
const filesBelow = async (folder = '') => {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}
const opened = (storage: ExportStorage, picked?: string) => storage.containers?.open(picked, FOLDER)
const refusalOf = async (storage: ExportStorage, picked?: string) => {
  const error: unknown = await opened(storage, picked)?.catch((reason: unknown) => reason)
  expect(error, picked).to.be.instanceOf(ContainerError)
  return (error as Error).message
}

describe('folderContainers', () => {
  storageSuite('folders of the local disk as containers', {
    open: async () => folderContainers(fileStorage(await openRoot())),
    close: closeRoot,
  })

  beforeEach(openRoot)
  afterEach(closeRoot)

  it('lets clients pick any name, or those of a list', async () => {
    expect(await opened(folderContainers(disk('')), 'abc')).to.equal('abc')
    const listed = folderContainers(disk(''), { names: ['abc'], fallback: 'def' })
    expect([await opened(listed, 'abc'), await opened(listed)]).to.deep.equal(['abc', 'def'])
    expect(await refusalOf(listed, 'def')).to.include('no container "def"')
    expect(await refusalOf(listed, '../abc')).to.include('3 to 63')
    expect(await readdir(root)).to.deep.equal([])
  })

  it('removes the container of a single export with its folder, and no other container', async () => {
    const storage = folderContainers(disk(''))
    expect(await opened(storage)).to.equal(OWN)
    const keys = [`${OWN}/${FOLDER}/a`, `abc/${FOLDER}/a`, `abc/${OTHER}/b`]
    for (const key of keys) await storage.write(key, source(key))
    await storage.removeAll(`${OWN}/${FOLDER}`)
    expect(await readdir(root)).to.deep.equal(['abc'])
    await storage.removeAll(`abc/${FOLDER}`)
    expect(await filesBelow()).to.deep.equal(['b'])
  })

  it('signs URLs if its storage does, even one that is an instance of a class', async () => {
    class Signing {
      readonly #host = 'https://example.org'
      async signedUrl(key: string) {
        return `${this.#host}/${key}`
      }
    }
    const { write, read, removeAll, removeOthers, check } = disk('')
    const methods = { write, read, removeAll, removeOthers, check }
    const signing = folderContainers(Object.assign(new Signing(), methods))
    expect(await signing.signedUrl?.('abc/a', new Date())).to.equal('https://example.org/abc/a')
    expect(folderContainers(disk(''))).not.to.have.property('signedUrl')
  })

  it('refuses options with names that are none', () => {
    for (const options of [{ names: ['abc', 'A'] }, { fallback: '../abc' }, { fallback: OWN }]) {
      expect(() => folderContainers(disk(''), options)).to.throw(/is not the name|cannot be picked/)
    }
  })
})

describe('storageContainers', () => {
  storageSuite('one of two folders of the local disk', {
    async open() {
      await openRoot()
      const storage = storageContainers({ one: disk('one'), two: disk('two') })
      return withinContainer(storage, 'one')
    },
    async close() {
      expect(await filesBelow('two').catch(() => [])).to.deep.equal([])
      await closeRoot()
    },
  })

  describe('of folders', () => {
    let storage: ExportStorage
    beforeEach(async () => {
      await openRoot()
      storage = storageContainers({ one: disk('1'), 'my.bucket': disk('2') }, { fallback: 'one' })
    })
    afterEach(closeRoot)

    it('keep, read and remove what goes to each, and nothing of the other', async () => {
      for (const key of ['one/job/a', 'one/job/b', 'my.bucket/job/a']) await storage.write(key, source(key))
      expect(await text(await storage.read('my.bucket/job/a'))).to.equal('my.bucket/job/a')
      expect(await filesBelow('2')).to.deep.equal(['a'])
      await storage.removeOthers('one/job', new Set(['one/job/b', 'my.bucket/job/a']))
      expect([await filesBelow('1'), await filesBelow('2')]).to.deep.equal([['b'], ['a']])
      await storage.removeAll('my.bucket/job')
      expect([await filesBelow('1'), await filesBelow('2')]).to.deep.equal([['b'], []])
    })

    it('may be picked by name only, and need a fallback where none is picked', async () => {
      expect([await opened(storage), await opened(storage, 'my.bucket')]).to.deep.equal(['one', 'my.bucket'])
      for (const name of ['two', '1', '', '..', 'ONE', 'constructor', '__proto__', `one/${FOLDER}`, OWN]) {
        expect(await refusalOf(storage, name)).to.include('There is no container')
      }
      expect(await refusalOf(storageContainers({ one: disk('1') }))).to.include('name of a container')
    })

    for (const key of ['none/job/a', 'one', 'one/', '../one/a', 'one/../my.bucket/a', '__proto__/a']) {
      it(`do nothing for ${key}`, async () => {
        await storage.write('one/job/a', source('x'))
        const calls = [
          ...[storage.write(key, source('x')), storage.read(key), storage.removeAll(key)],
          storage.removeOthers(key, new Set()),
        ]
        const outcomes = await Promise.allSettled(calls)
        expect(new Set(outcomes.map(({ status }) => status))).to.deep.equal(new Set(['rejected']))
        expect(await filesBelow()).to.deep.equal(['a'])
      })
    }

    it('are all tried by the check', async () => {
      await disk('').write('file', source('x'))
      const error: unknown = await storageContainers({ one: disk('1'), two: disk('file') })
        .check()
        .catch((reason: unknown) => reason)
      expect(String(error)).to.include('file is not writable')
    })

    it('are refused with names that are none', () => {
      expect(() => storageContainers({ one: disk('1') }, { fallback: 'two' })).to.throw(/none of the/)
      for (const name of ['', '..', 'a/b', 'a\0']) {
        expect(() => storageContainers({ [name]: disk('1') })).to.throw(/Not a storage key|no slash/)
      }
    })
  })

  describe('of buckets', () => {
    const s3 = useVersitygw()
    let storage: ExportStorage
    let buckets: readonly [string, string]
    const open = async () => {
      const [first, second] = [await s3.newBucket(), await s3.newBucket()]
      buckets = [first.bucket, second.bucket]
      storage = storageContainers({ [first.bucket]: s3Storage(first), [second.bucket]: s3Storage(second) })
      return withinContainer(storage, first.bucket)
    }

    storageSuite('one of two buckets', {
      open,
      async close() {
        expect(await objectsOf(s3.client, buckets[1])).to.deep.equal([])
        for (const bucket of buckets) expect(await pendingUploads(s3.client, bucket)).to.deep.equal([])
      },
    })

    it('sign URLs when all can', async () => {
      await open()
      const key = `${buckets[1]}/${FOLDER}/a`
      await storage.write(key, source('content'))
      const url = await storage.signedUrl?.(key, new Date(Date.now() + 60_000))
      expect(await (await fetch(String(url))).text()).to.equal('content')
      expect(await objectsOf(s3.client, buckets[1])).to.deep.equal([`${FOLDER}/a`])
      const mixed = storageContainers({ one: s3Storage(await s3.newBucket()), two: fileStorage('/nowhere') })
      expect(mixed).not.to.have.property('signedUrl')
    })
  })
})
