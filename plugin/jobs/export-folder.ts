import type { ExportJob, OutputFile } from './model.js'

/** What a person who sees the folder is told: what is in it, and that all of it is there. Written last. */
export const MANIFEST_FILE = 'manifest.json'

/** The name of the folder of an export, such as `20240501T120000Z_4f…`: by time, and never that of another one. */
export function folderName({ _id, transactionTime }: Pick<ExportJob, '_id' | 'transactionTime'>): string {
  const time = transactionTime.toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '')
  return `${time}_${_id}`
}

/** Prefix of all keys of a job on the storage. */
export function folderOf({ _id, folder }: Pick<ExportJob, '_id' | 'folder'>): string {
  return folder ?? _id
}

type NamedFile = Pick<OutputFile, 'name' | 'gzipBytes'>

/** Key of a file on the storage. */
export function fileKey(folder: string, file: NamedFile): string {
  return `${folder}/${storedName(file)}`
}

/** The name of a file on the storage. A compressed one says so by its ending, for whoever looks there. */
export function storedName({ name, gzipBytes }: NamedFile): string {
  return gzipBytes === undefined ? name : `${name}.gz`
}
