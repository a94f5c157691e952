export type { ContainerOptions } from './container.js'
export { folderContainers } from './folder-containers.js'
export { type StorageContainersOptions, storageContainers } from './storage-containers.js'
