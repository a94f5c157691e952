import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The folder of an export, which is named by its time and its job; where nothing is when there is none. */
export async function folderOfJob(storage: string, job: string): Promise<string> {
  const name = (await readdir(storage)).find((each) => jobOfFolder(each) === job)
  return join(storage, name ?? job)
}

export function jobOfFolder(name: string): string {
  return name.split('_').at(-1) ?? ''
}

/** The names of all files in a folder and below it, and of folders that are empty; none when it is not there. */
export async function contentsOf(folder: string): Promise<readonly string[]> {
  try {
    const names: string[] = []
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) {
        names.push(entry.name)
        continue
      }
      const below = await contentsOf(join(folder, entry.name))
      names.push(...(below.length === 0 ? [entry.name] : below.map((name) => `${entry.name}/${name}`)))
    }
    return names
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
