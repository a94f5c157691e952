import { randomUUID } from 'node:crypto'
import { ContainerClient } from '@azure/storage-blob'
import { type AzureStorageOptions, azureStorage } from '../../plugin/storage/azure.js'
import { type Azurite, startAzurite } from '../../scripts/servers/azurite.js'
import { storageEnduranceSuite } from '../suites/storage-endurance-suite.js'
import { storageSuite } from '../suites/storage-suite.js'

const MODULE = new URL('../../plugin/storage/azure.ts', import.meta.url).href

// The published suites on a real server: each test in a container of its own, below a folder.
describe('azureStorage', () => {
  let azurite: Azurite
  let container: ContainerClient
  let options: AzureStorageOptions
  before('start Azurite', async function () {
    this.timeout(60_000)
    azurite = await startAzurite()
  })
  after('stop Azurite', () => azurite?.stop())

  const fixture = {
    async open() {
      const { connectionString } = azurite
      options = { container: `c${randomUUID()}`, prefix: 'folder/Ä b', connectionString }
      container = new ContainerClient(connectionString, String(options.container))
      await container.create()
      return azureStorage(options)
    },
    close: async () => {
      await container.delete()
    },
  }

  storageSuite('Azure', fixture)

  storageEnduranceSuite('Azure', {
    ...fixture,
    keepsPending: true,
    recipe: () => ({ module: MODULE, factory: 'azureStorage', argument: options }),
    async everything() {
      const names: string[] = []
      for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true })) {
        names.push(name.replace(/^folder\/Ä b\//, ''))
      }
      return names
    },
    restart: () => azurite.restart(),
  })
})
