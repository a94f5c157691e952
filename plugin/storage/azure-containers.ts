import { randomUUID } from 'node:crypto'
import type { BlobServiceClient } from '@azure/storage-blob'
import { type AzureStorageOptions, azureStorage } from './azure.js'
import { unusable } from './azure-check.js'
import { azurePlace, serviceOf } from './azure-place.js'
import { isAnswer, request } from './azure-request.js'
import {
  type ContainerOptions,
  containerChoice,
  isOwnContainer,
  noContainer,
  ownContainerOf,
  withinContainer,
} from './container.js'
import type { ExportStorage } from './export-storage.js'

export type { ContainerOptions } from './container.js'

/** Which account, which of its containers, and how files get there. */
export interface AzureContainersOptions
  extends Omit<AzureStorageOptions, 'container' | 'client'>,
    ContainerOptions {
  /** The team's own client of the account; or a `connectionString`, or an `accountUrl`. */
  readonly client?: BlobServiceClient
  /** Whether a container that is picked, or named here, is made when there is none. Default: it is refused. */
  readonly create?: boolean
}

/** How many containers are kept at hand with what signs their URLs. */
const MOST_AT_HAND = 100

/**
 * Keeps output files in several containers of an Azure account: key `a/b` is the blob `<prefix>/b` of the container
 * `a`. Everything else is as with `azureStorage`.
 *
 * Without `names` clients may pick any container of the account. Without `fallback`, or with `create`, the credential
 * has to be one that makes and removes containers: the role "Storage Blob Data Contributor" on the account does. Those
 * of a single export are made at its kick-off and removed with it; those that were picked stay.
 *
 * @throws Error for options that name no account, more than one, or a container that cannot be
 */
export function azureContainers(options: AzureContainersOptions): ExportStorage {
  const { names = [], fallback, create = false, client, prefix = '', timeout = 60_000, ...others } = options
  const choose = containerChoice(options)
  const service = serviceFor(options)
  const clientOf = (container: string) => service.getContainerClient(container)
  const { connectionString, accountUrl, credential, ...settings } = others
  const storageOf = atHand((container) =>
    azureStorage({ ...settings, prefix, timeout, client: clientOf(container) }),
  )
  const find = (key: string) => {
    const [container, rest] = withinContainer(key)
    return { container, storage: storageOf(container), key: rest }
  }
  const make = (container: string) =>
    request(`Making the container ${container}`, { timeout }, (abortSignal) =>
      clientOf(container).createIfNotExists({ abortSignal }),
    )
  const tryOut = async (container: string) => {
    if (create) await make(container)
    await storageOf(container).check()
  }
  const named = new Set([...names, ...(fallback === undefined ? [] : [fallback])])

  const storage: ExportStorage = {
    async write(key, source, given) {
      const found = find(key)
      await found.storage.write(found.key, source, given)
    },
    async read(key, range) {
      const found = find(key)
      return found.storage.read(found.key, range).catch((error: unknown) => {
        throw isGone(error) ? Object.assign(new Error(error.message), { code: 'ENOENT' }) : error
      })
    },
    async removeAll(given) {
      const own = ownContainerOf(given)
      if (own === undefined) {
        const found = find(given)
        return unlessGone(found.storage.removeAll(found.key))
      }
      await unlessGone(
        request(`Removing the container ${own}`, { timeout }, (abortSignal) =>
          clientOf(own).delete({ abortSignal }),
        ),
      )
    },
    async removeOthers(given, keys) {
      const found = find(given)
      const kept = [...keys].map(find).filter(({ container }) => container === found.container)
      await unlessGone(found.storage.removeOthers(found.key, new Set(kept.map(({ key }) => key))))
    },
    async check() {
      if (fallback === undefined) await lookAt(service, timeout)
      await Promise.all([...named].map(tryOut))
    },
    containers: {
      async open(picked, folder) {
        const container = choose(picked, folder)
        if (isOwnContainer(container)) await make(container)
        else if (picked !== undefined) {
          await tryOut(picked).catch((error: unknown) => {
            throw isAnswer(error, 'ContainerNotFound') ? noContainer(picked) : error
          })
        }
        return container
      },
    },
  }
  if (storageOf(NO_CONTAINER).signedUrl === undefined) return storage
  return {
    ...storage,
    async signedUrl(key, expires) {
      const found = find(key)
      return (await found.storage.signedUrl?.(found.key, expires)) ?? ''
    },
  }
}

/** Stands for any container where none is asked of the service. */
const NO_CONTAINER = 'any-container'

function serviceFor({ client, ...account }: AzureContainersOptions): BlobServiceClient {
  if (client === undefined) return serviceOf(azurePlace({ ...account, container: NO_CONTAINER }).client)
  const { connectionString, accountUrl, credential } = account
  if ([connectionString, accountUrl, credential].some((given) => given !== undefined)) {
    throw new Error('Azure storage takes exactly one of client, connectionString and accountUrl.')
  }
  return client
}

/** @throws AzureError when the account does not answer, or refuses */
async function lookAt(service: BlobServiceClient, timeout: number): Promise<void> {
  try {
    await request('Looking for a container', { timeout }, (abortSignal) =>
      service.getContainerClient(`probe-${randomUUID()}`).exists({ abortSignal }),
    )
  } catch (error) {
    throw unusable(`Azure account ${service.accountName || new URL(service.url).host}`, error)
  }
}

/** Makes each storage once, as long as there are not too many. */
function atHand(make: (container: string) => ExportStorage): (container: string) => ExportStorage {
  const made = new Map<string, ExportStorage>()
  return (container) => {
    const found = made.get(container) ?? make(container)
    // The last one that was asked for is the last one to go.
    made.delete(container)
    made.set(container, found)
    const [oldest] = made.keys()
    if (made.size > MOST_AT_HAND && oldest !== undefined) made.delete(oldest)
    return found
  }
}

/** Also for a container that somebody else has removed. */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

function isGone(error: unknown): error is Error {
  return isAnswer(error, 'ContainerNotFound', 'ContainerBeingDeleted')
}
