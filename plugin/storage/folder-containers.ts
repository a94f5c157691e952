import { type ContainerOptions, containerChoice, ownContainerOf } from './container.js'
import type { ExportStorage } from './export-storage.js'

/**
 * The same storage, with the first folder of its keys as containers: `<container>/<folder of the export>/…`. They need
 * not be made, so that clients can pick any name of 3 to 63 lower-case letters, digits and single hyphens, unless
 * `names` says which.
 *
 * @throws Error for a name in the options that is none
 */
export function folderContainers(storage: ExportStorage, options: ContainerOptions = {}): ExportStorage {
  const choose = containerChoice(options)
  const { signedUrl } = storage
  return {
    write: (key, source, given) => storage.write(key, source, given),
    read: (key, range) => storage.read(key, range),
    removeAll: (prefix) => storage.removeAll(ownContainerOf(prefix) ?? prefix),
    removeOthers: (prefix, keys) => storage.removeOthers(prefix, keys),
    check: () => storage.check(),
    ...(signedUrl && { signedUrl: (key: string, expires: Date) => signedUrl.call(storage, key, expires) }),
    containers: { open: async (picked, folder) => choose(picked, folder) },
  }
}
