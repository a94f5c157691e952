import type { Db } from 'mongodb'
import { collectionOf, documentOf } from '../host/collection.js'
import { groupOf } from './members.js'

/** Adds a Group of patients to a data set for as long as the work takes. */
export async function withGroup<T>(
  db: Db,
  id: string,
  patients: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const groups = collectionOf(db, 'Group')
  await groups.insertOne(documentOf({ ...groupOf(id, patients) }))
  try {
    return await work()
  } finally {
    await groups.deleteOne({ _id: id })
  }
}
