import { text } from 'node:stream/consumers'
import type { ExportStorage } from '../storage/export-storage.js'
import { folderOf, MANIFEST_FILE, storedName } from './export-folder.js'
import { manifestOf } from './manifest.js'
import type { ExportJob, ExportTask } from './model.js'

/**
 * Puts a manifest beside the files of an export, with their names in the place of URLs. Whoever finds it there knows
 * that all the others are: it is written when nothing else is left to write. May be done again, by several at once.
 */
export async function writeManifestFile(
  job: ExportJob,
  tasks: readonly ExportTask[],
  storage: ExportStorage,
): Promise<void> {
  const manifest = manifestOf(job, tasks, false, storedName)
  const content = `${JSON.stringify(manifest, undefined, 2)}\n`
  const key = manifestKey(job)
  try {
    await storage.write(key, once(content), { contentType: 'application/json' })
  } catch (error) {
    if ((await storedText(key, storage)) !== content) throw error
  }
}

export function manifestKey(job: ExportJob): string {
  return `${folderOf(job)}/${MANIFEST_FILE}`
}

async function storedText(key: string, storage: ExportStorage): Promise<string | undefined> {
  try {
    return await text(await storage.read(key))
  } catch {
    // The error of the write says more.
    return undefined
  }
}

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}
