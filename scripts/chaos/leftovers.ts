import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import { contentsOf, jobOfFolder } from './storage-folder.js'

/** Which field of each collection names the job that a document belongs to. */
const COLLECTIONS = {
  'bulkexport.jobs': '_id',
  'bulkexport.tasks': 'job',
  'bulkexport.cohorts': 'job',
  'bulkexport.bells': 'data.reason',
} as const

export interface LeftoverOptions {
  readonly db: Db
  /** The folder of all output files. */
  readonly storage: string
  /** Jobs that are left on purpose. */
  readonly kept: ReadonlySet<string>
}

/** What is there of exports that are not there any more, in words. */
export async function leftovers({ db, storage, kept }: LeftoverOptions): Promise<readonly string[]> {
  const found: string[] = []
  for (const [collection, field] of Object.entries(COLLECTIONS)) {
    const documents = await db
      .collection(collection)
      .find({ [field]: { $nin: [...kept] } })
      .limit(3)
      .project({ status: 1, name: 1, data: 1, job: 1, endedAt: 1, lockedAt: 1, nextRunAt: 1, attempt: 1 })
      .toArray()
    found.push(...documents.map((document) => `${collection} has ${JSON.stringify(document)}`))
  }
  const files = (await contentsOf(storage)).filter((name) => !kept.has(jobOfFolder(name.split('/')[0] ?? '')))
  if (files.length > 0) found.push(`the storage has ${files.length} files: ${files.slice(0, 5).join(', ')}`)
  return found
}

/**
 * Waits until nothing is left. What processes that were killed have left is found at the next look at the record.
 *
 * @param limit in ms
 * @returns what is still there then
 */
export async function waitUntilNothingIsLeft(
  options: LeftoverOptions,
  limit: number,
): Promise<readonly string[]> {
  const deadline = Date.now() + limit
  for (;;) {
    const found = await leftovers(options)
    if (found.length === 0 || Date.now() > deadline) return found
    await delay(500)
  }
}
