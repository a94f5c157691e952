import { noContainer, withinContainer } from './container.js'
import { ContainerError, type ExportStorage } from './export-storage.js'
import { segmentsOf } from './key.js'

export interface StorageContainersOptions {
  /** The name of the one for exports whose client picks none. Default: they are refused, clients have to pick. */
  readonly fallback?: string
}

/**
 * Several storages as containers of one, such as the buckets that clients may pick from: the first segment of a key is
 * the name of a storage, the rest is the key in it. URLs can be signed if all of them can; `check` tries all.
 *
 * @param storages by the names that clients pick, each without a `/`
 * @throws Error for a name that is none, or a fallback that is not among them
 */
export function storageContainers(
  storages: Readonly<Record<string, ExportStorage>>,
  { fallback }: StorageContainersOptions = {},
): ExportStorage {
  const all = new Map(Object.entries(storages))
  for (const name of all.keys()) {
    if (segmentsOf(name).length > 1) throw new Error(`The name of a container has no slash: ${name}`)
  }
  if (fallback !== undefined && !all.has(fallback)) {
    throw new Error(`The fallback ${JSON.stringify(fallback)} is none of the containers.`)
  }
  const find = (key: string) => {
    const [container, rest] = withinContainer(key)
    const storage = all.get(container)
    if (storage === undefined) throw new Error(`There is no container for the key ${key.slice(0, 200)}`)
    return { storage, key: rest }
  }
  const signers = [...all.values()].filter(({ signedUrl }) => signedUrl !== undefined)
  return {
    async write(key, source, options) {
      const found = find(key)
      await found.storage.write(found.key, source, options)
    },
    async read(key, range) {
      const found = find(key)
      return found.storage.read(found.key, range)
    },
    async removeAll(prefix) {
      const found = find(prefix)
      await found.storage.removeAll(found.key)
    },
    async removeOthers(prefix, keys) {
      const found = find(prefix)
      const kept = [...keys].map(find).filter(({ storage }) => storage === found.storage)
      await found.storage.removeOthers(found.key, new Set(kept.map(({ key }) => key)))
    },
    async check() {
      await Promise.all([...all.values()].map((storage) => storage.check()))
    },
    ...(signers.length === all.size && { signedUrl: signWith(find) }),
    containers: {
      async open(picked = fallback) {
        if (picked === undefined) throw new ContainerError('This server wants the name of a container.')
        if (!all.has(picked)) throw noContainer(picked)
        return picked
      },
    },
  }
}

function signWith(
  find: (key: string) => { readonly storage: ExportStorage; readonly key: string },
): NonNullable<ExportStorage['signedUrl']> {
  return async (key, expires) => {
    const found = find(key)
    const { signedUrl } = found.storage
    if (signedUrl === undefined) throw new Error('The storage of this container signs no URLs any more.')
    return signedUrl.call(found.storage, found.key, expires)
  }
}
