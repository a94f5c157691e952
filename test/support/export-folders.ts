import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The folders of exports that are in a storage's folder, by the ids of their jobs. */
export async function exportFolders(root: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(root)
  return new Map(names.map((name) => [name.split('_').at(-1) as string, join(root, name)]))
}

/** The folder of an export. */
export async function folderOfExport(root: string, statusUrl: string): Promise<string> {
  const folder = (await exportFolders(root)).get(statusUrl.split('/').at(-1) as string)
  if (folder === undefined) throw new Error(`${root} has no folder for ${statusUrl}.`)
  return folder
}

/** What is below the folders of exports, such as `[job id]/Patient-1.ndjson`. */
export async function exportFiles(root: string): Promise<readonly string[]> {
  const names = await readdir(root, { recursive: true })
  return names.filter((name) => name.includes('/')).map((name) => name.replace(/^[^/_]*_/, ''))
}
