import type { ExportStorage } from '../../plugin/storage/export-storage.js'

/** A storage whose keys are those of one container of another. */
export function withinContainer(storage: ExportStorage, container: string): ExportStorage {
  const at = (key: string) => `${container}/${key}`
  return {
    write: (key, source, options) => storage.write(at(key), source, options),
    read: (key, range) => storage.read(at(key), range),
    removeAll: (prefix) => storage.removeAll(at(prefix)),
    removeOthers: (prefix, keys) => storage.removeOthers(at(prefix), new Set([...keys].map(at))),
    check: () => storage.check(),
  }
}
