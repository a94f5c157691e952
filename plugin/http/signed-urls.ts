import { fileKey, folderOf } from '../jobs/export-folder.js'
import type { ExportJob, ExportTask } from '../jobs/model.js'
import type { ExportStorage } from '../storage/export-storage.js'

/** URLs of all files of an export, by their names, valid until they expire or the files do. */
export type SignUrls = (
  job: ExportJob,
  tasks: readonly ExportTask[],
  filesExpire: Date,
) => Promise<ReadonlyMap<string, string>>

/**
 * Makes URLs that give a file to whoever has them (Bulk Data 3.0.0, "Response - Complete Status": `requiresAccessToken`
 * is then false). They are made anew for each status request, so that they can be short-lived.
 *
 * @param lifetime how long they are valid, in ms
 */
export function urlSigner(signedUrl: NonNullable<ExportStorage['signedUrl']>, lifetime: number): SignUrls {
  return async (job, tasks, filesExpire) => {
    const expires = new Date(Math.min(Date.now() + lifetime, filesExpire.getTime()))
    const folder = folderOf(job)
    const files = tasks.flatMap((task) => task.files)
    const urls = await Promise.all(files.map((file) => signedUrl(fileKey(folder, file), expires)))
    return new Map(files.map(({ name }, index) => [name, urls[index] as string]))
  }
}
