import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { expect } from 'chai'
import { type AzureContainersOptions, azureContainers } from '../../plugin/storage/azure-containers.js'
import { ContainerError, type ExportStorage } from '../../plugin/storage/export-storage.js'
import { storageSuite } from '../suites/storage-suite.js'
import { withinContainer } from '../support/within-container.js'
import { azureSetup, errorOf, source } from './azure-setup.js'

const folderOf = (id: string) => `20240501T120000Z_${id.replaceAll('-', '')}`
const ownOf = (folder: string) => folder.toLowerCase().replace('_', '-')

describe('azureContainers', () => {
  const setup = azureSetup()
  let service: BlobServiceClient
  before(() => {
    service = BlobServiceClient.fromConnectionString(setup.azurite.connectionString)
  })
  // Each test has the account for itself.
  afterEach('remove containers', async () => {
    for (const name of await containers()) await service.deleteContainer(name)
  })
  const containers = async () => {
    const names: string[] = []
    for await (const { name } of service.listContainers()) names.push(name)
    return names
  }
  const there = () => setup.container.containerName
  const storageOf = (options: Partial<AzureContainersOptions> = {}) =>
    azureContainers({ connectionString: setup.azurite.connectionString, ...options })
  const opened = async (storage: ExportStorage, picked?: string, folder = folderOf(randomUUID())) => {
    if (storage.containers === undefined) throw new Error('It has no containers.')
    return storage.containers.open(picked, folder)
  }
  const expectRefused = async (storage: ExportStorage, picked: string, says: RegExp) => {
    const before = await containers()
    const error = await errorOf(opened(storage, picked), setup.azurite.accountKey)
    expect(error, picked).to.be.instanceOf(ContainerError)
    expect(error.message).to.match(says)
    expect(error.message).not.to.include(setup.azurite.account)
    expect(await containers()).to.deep.equal(before)
  }

  storageSuite('a container among several of Azure', {
    open: async () => withinContainer(storageOf({ prefix: 'folder/Ä b' }), there()),
    close: async () => {},
  })

  const ways: readonly (readonly [string, () => Partial<AzureContainersOptions>])[] = [
    ['a connection string', () => ({})],
    ['a client', () => ({ client: service })],
    [
      'a URL and a key',
      () => {
        const { account, accountKey, url } = setup.azurite
        return { accountUrl: url, credential: new StorageSharedKeyCredential(account, accountKey) }
      },
    ],
  ]
  for (const [what, given] of ways) {
    it(`keep files in real containers, and sign their URLs, by ${what}`, async () => {
      const account =
        what === 'a connection string' ? { connectionString: setup.azurite.connectionString } : {}
      const storage = azureContainers({ ...account, ...given(), prefix: 'some/folder' })
      await storage.check()
      expect(await opened(storage, there())).to.equal(there())
      const key = `${there()}/${folderOf('a')}/Patient-1.ndjson`
      await storage.write(key, source('content'))
      expect(await setup.names()).to.deep.equal([`some/folder/${folderOf('a')}/Patient-1.ndjson`])
      const url = await storage.signedUrl?.(key, new Date(Date.now() + 60_000))
      expect(await (await fetch(String(url))).text()).to.equal('content')
    })
  }

  describe('that are picked', () => {
    it('have to be there, and are left as they were', async () => {
      const storage = storageOf()
      await expectRefused(storage, 'not-there', /There is no container "not-there"/)
      await opened(storage, there())
      expect(await setup.names()).to.deep.equal([])
    })

    for (const name of [
      '../x',
      '..',
      'Upper',
      'x'.repeat(200),
      'a--b',
      '',
      '$root',
      '%2e%2e',
      'a\0c',
      'äöü',
    ]) {
      it(`may not be ${JSON.stringify(name.slice(0, 20))}`, async () => {
        for (const create of [false, true]) await expectRefused(storageOf({ create }), name, /3 to 63/)
      })
    }

    it('may be those of a list only', async () => {
      await service.createContainer('listed')
      const storage = storageOf({ names: ['listed'] })
      expect(await opened(storage, 'listed')).to.equal('listed')
      await expectRefused(storage, there(), /There is no container/)
      await expectRefused(storageOf({ names: ['listed'], create: true }), 'unlisted', /There is no container/)
    })

    it('are made when they are to be, once, and stay when an export is removed', async () => {
      const storage = storageOf({ create: true })
      const names = await Promise.all(Array.from({ length: 5 }, () => opened(storage, 'new-one')))
      expect(new Set(names)).to.deep.equal(new Set(['new-one']))
      const keys = ['a', 'b'].map((id) => `new-one/${folderOf(id)}/a`)
      for (const key of keys) await storage.write(key, source(key))
      await storage.removeAll(`new-one/${folderOf('a')}`)
      expect(await containers()).to.have.members([there(), 'new-one'])
      expect(await text(await storage.read(keys[1] as string))).to.equal(keys[1])
      expect(await errorOf(storage.read(keys[0] as string))).to.have.property('code', 'ENOENT')
    })

    it('are never those that other exports have for themselves', async () => {
      const storage = storageOf()
      const own = await opened(storage)
      await expectRefused(storage, own, /cannot be picked/)
    })
  })

  describe('where none is picked', () => {
    it('are one for each export, removed with it and nothing else', async () => {
      const storage = storageOf()
      const folders = [folderOf(randomUUID()), folderOf(randomUUID())] as const
      for (const folder of folders) expect(await opened(storage, undefined, folder)).to.equal(ownOf(folder))
      const keys = folders.map((folder) => `${ownOf(folder)}/${folder}/a`)
      for (const key of keys) await storage.write(key, source(key))
      // One file of it, as a worker removes that has lost its task.
      await storage.removeAll(keys[0] as string)
      expect(await containers()).to.have.members([there(), ...folders.map(ownOf)])
      for (let again = 0; again < 2; again += 1) await storage.removeAll(`${ownOf(folders[0])}/${folders[0]}`)
      expect(await containers()).to.have.members([there(), ownOf(folders[1])])
      expect(await text(await storage.read(keys[1] as string))).to.equal(keys[1])
    })

    it('take nothing once they are removed, and do not come back', async () => {
      const storage = storageOf({ create: true })
      const folder = folderOf(randomUUID())
      const prefix = `${await opened(storage, undefined, folder)}/${folder}`
      await storage.removeAll(prefix)
      await errorOf(storage.write(`${prefix}/a`, source('x')))
      expect(await errorOf(storage.read(`${prefix}/a`))).to.have.property('code', 'ENOENT')
      await storage.removeOthers(prefix, new Set())
      await storage.removeAll(`${prefix}/a`)
      expect(await containers()).to.deep.equal([there()])
    })

    it('are the fallback, which is made when it is to be', async () => {
      const storage = storageOf({ fallback: 'fallback', create: true, names: ['one', 'two'] })
      await storage.check()
      expect(await containers()).to.have.members([there(), 'fallback', 'one', 'two'])
      expect(await opened(storage)).to.equal('fallback')
      await expectRefused(storage, 'fallback', /There is no container/)
    })
  })

  describe('are checked', () => {
    it('by their names, and leave nothing', async () => {
      await storageOf({ names: [there()], fallback: there() }).check()
      expect(await setup.names()).to.deep.equal([])
      for (const options of [{ fallback: 'not-there' }, { names: [there(), 'not-there'] }]) {
        const error = await errorOf(storageOf(options).check(), setup.azurite.accountKey)
        expect(error.message).to.match(/container not-there of the Azure account .* is not usable/)
      }
    })

    it('by the account where none has a name', async () => {
      const { account, url } = setup.azurite
      await storageOf().check()
      const key = Buffer.from('wrong').toString('base64')
      const storage = azureContainers({
        accountUrl: url,
        credential: new StorageSharedKeyCredential(account, key),
      })
      const error = await errorOf(storage.check(), key)
      expect(error.message).to.match(new RegExp(`Azure account ${account} is not usable`))
      expect(await errorOf(opened(storage, there()), key)).not.to.be.instanceOf(ContainerError)
      expect(await errorOf(opened(storage), key)).not.to.be.instanceOf(ContainerError)
    })
  })

  it('are refused with options that name no account, or two, or no container', () => {
    const { connectionString } = setup.azurite
    const wrong: readonly (readonly [AzureContainersOptions, RegExp])[] = [
      [{}, /exactly one of client, connectionString and accountUrl/],
      [{ connectionString, client: service }, /exactly one of/],
      [{ connectionString, accountUrl: setup.azurite.url }, /exactly one of/],
      [{ connectionString, names: ['Upper'] }, /is not the name of a container/],
      [{ connectionString, fallback: 'a' }, /is not the name of a container/],
      [{ connectionString, prefix: '../x' }, /Not a storage key/],
      [{ connectionString, blockSize: 0 }, /blockSize/],
    ]
    for (const [options, says] of wrong) expect(() => azureContainers(options)).to.throw(says)
  })

  it('do nothing for keys without a container', async () => {
    const storage = storageOf()
    for (const key of [there(), `${there()}/`, '', '..', 'Upper/a', '../a/b']) {
      await errorOf(storage.removeAll(key))
      await errorOf(storage.write(key, source('x')))
      await errorOf(storage.removeOthers(key, new Set()))
    }
    expect(await containers()).to.deep.equal([there()])
  })
})
