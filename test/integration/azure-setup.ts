import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { ContainerClient } from '@azure/storage-blob'
import { expect } from 'chai'
import type { AzureError } from '../../plugin/storage/azure-request.js'
import { type Azurite, startAzurite } from '../../scripts/servers/azurite.js'

/** A running emulator, and a new container for each test. */
export interface AzureSetup {
  readonly azurite: Azurite
  readonly container: ContainerClient
  /** All that is in the container, also what was never committed. */
  names(): Promise<readonly string[]>
}

/** Starts Azurite for the tests of a `describe`, by its hooks. */
export function azureSetup(): AzureSetup {
  let azurite: Azurite | undefined
  let container: ContainerClient | undefined
  before('start Azurite', async function () {
    this.timeout(60_000)
    azurite = await startAzurite()
  })
  beforeEach('make a container', async () => {
    container = new ContainerClient(azurite?.connectionString ?? '', `c${randomUUID()}`)
    await container.create()
  })
  afterEach('remove the container', async () => {
    await container?.deleteIfExists()
  })
  after('stop Azurite', async () => {
    await azurite?.stop()
  })
  return {
    get azurite() {
      return azurite as Azurite
    },
    get container() {
      return container as ContainerClient
    },
    async names() {
      const names: string[] = []
      for await (const { name } of (container as ContainerClient).listBlobsFlat({
        includeUncommitedBlobs: true,
      })) {
        names.push(name)
      }
      return names
    },
  }
}

export async function* source(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

/** What a promise rejects with; none of the words may be in it, however it is looked at. */
export async function errorOf(promise: Promise<unknown>, ...secrets: readonly string[]): Promise<AzureError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).to.be.instanceOf(Error)
  const shown = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), String(error)].join(
    '\n',
  )
  for (const secret of [...secrets, 'SharedKey', 'Bearer ', 'sig=']) expect(shown).to.not.include(secret)
  return error as AzureError
}
