import type { Db, Filter, ObjectId } from 'mongodb'
import { versionOf } from '../../plugin/fhir/base-url.js'
import { collectionOf, type ResourceDocument } from './collection.js'
import { announceDeletion, stampTombstone, tombstonesOf } from './tombstone.js'

/**
 * Deletes a resource and leaves a tombstone, without a transaction, which a single MongoDB server does not have:
 * the tombstone comes first and is stamped last. Only the version that the tombstone was written for is deleted,
 * as another one may have been in other compartments; if it has changed meanwhile, all begins again.
 *
 * @param base the FHIR base URL of this server, which ends with the version
 * @returns what was deleted by this call; `undefined` if there was nothing
 */
export async function removeResource(
  db: Db,
  type: string,
  id: string,
  base: string,
): Promise<ResourceDocument | undefined> {
  const collection = collectionOf(db, type, versionOf(base))
  const tombstones = tombstonesOf(db, type, versionOf(base))
  let attempt: ObjectId | undefined
  for (;;) {
    const resource = await collection.findOne({ _id: id })
    if (resource !== null) attempt = await announceDeletion(tombstones, resource, base)
    const isGone = resource === null || (await collection.deleteOne(thisVersion(resource))).deletedCount === 1
    if (!isGone) continue
    // Also when someone else deleted it: the tombstone may have this attempt in the place of theirs.
    if (attempt !== undefined) await stampTombstone(tombstones, id, attempt)
    return resource ?? undefined
  }
}

/** The date as well, since the versions of a resource that is made anew begin at 1 again. */
function thisVersion({ _id, meta = {} }: ResourceDocument): Filter<ResourceDocument> {
  const { versionId = null, lastUpdated = null } = meta as Readonly<Record<string, unknown>>
  return { _id, 'meta.versionId': { $eq: versionId }, 'meta.lastUpdated': { $eq: lastUpdated } }
}
