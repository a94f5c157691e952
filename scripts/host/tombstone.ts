import { type Collection, type Db, ObjectId } from 'mongodb'
import { versionOf } from '../../plugin/fhir/base-url.js'
import { compartmentOf } from '../../plugin/fhir/patient-compartment.js'
import type { DeletedResource, DeletedSince } from '../../plugin/search/host-hooks.js'
import { collectionName, type StoredResource } from './collection.js'
import { VERSION } from './core.js'

/**
 * What is kept of a deleted resource, under its id: the latest deletion counts. It stays when the resource is made
 * anew, as it says nothing of a resource that is there.
 */
export interface Tombstone {
  readonly _id: string
  readonly resourceType: string
  /** Ids of the patients in whose compartment the resource was. */
  readonly patients: readonly string[]
  /** The same of the deletions before. */
  readonly earlier: readonly string[]
  /** By the clock of the database; `null` from before the deletion until after it. */
  readonly deletedAt: Date | null
  /** The attempt at deleting that announced it; only while `deletedAt` is `null`. */
  readonly attempt?: ObjectId
}

/** A reader holds no more in memory, and waits for no more after its signal. */
const BATCH = 1000

/** Such as `Patient_4_0_0_deleted`, which is no name of a collection of resources. */
export function tombstonesOf(db: Db, type: string, version: string = VERSION): Collection<Tombstone> {
  return db.collection<Tombstone>(`${collectionName(type, version)}_deleted`)
}

/**
 * To be called before a resource is deleted, so that a process that dies in between leaves a trace. The moment of
 * the deletion is not known yet, and an earlier one would be wrong: an export that starts in between may still
 * hold the resource, and the next one asks for what was deleted after that start. Hence a tombstone is stamped
 * once the resource is gone, by `stampTombstone`, or by whoever finds it unstamped.
 *
 * @param base the FHIR base URL of this server, which ends with the version
 * @returns the attempt that the stamp has to name
 */
export async function announceDeletion(
  tombstones: Collection<Tombstone>,
  resource: StoredResource,
  base: string,
): Promise<ObjectId> {
  const { id, resourceType } = resource
  const members = compartmentOf(versionOf(base)).memberships(resource, base)
  const patients = [...new Set(members.map(({ patient }) => patient))]
  const attempt = new ObjectId()
  // Whoever had it before an earlier deletion may not have been told of that yet.
  const before = { $cond: [{ $ifNull: ['$deletedAt', false] }, { $ifNull: ['$patients', []] }, []] }
  const earlier = { $setUnion: [{ $ifNull: ['$earlier', []] }, before] }
  await tombstones.updateOne(
    { _id: id },
    [{ $set: { earlier } }, { $set: { resourceType, patients, deletedAt: null, attempt } }],
    { upsert: true },
  )
  return attempt
}

/**
 * To be called when the resource has been seen to be gone after its deletion was announced. Without effect when
 * the attempt is not the last one any more: the resource may have been made anew since, and the later attempt, at
 * that one, must not be stamped before its time.
 */
export async function stampTombstone(
  tombstones: Collection<Tombstone>,
  id: string,
  attempt: ObjectId,
): Promise<void> {
  await tombstones.updateOne({ _id: id, attempt }, [{ $set: { deletedAt: '$$NOW', attempt: '$$REMOVE' } }])
}

/** The example host's answer to what was deleted: its tombstones in the order of the deletions. */
export function deletedSince(db: Db): DeletedSince {
  return async function* (type, since, until, { version, signal }): AsyncGenerator<DeletedResource> {
    const tombstones = tombstonesOf(db, type, version)
    // First: a stamp given now may still be within the time asked for, if the clock of the database is behind.
    await stampLeft(db, tombstones, collectionName(type, version), signal)
    const found = tombstones
      .find({ deletedAt: { $gt: since, $lte: until } }, { batchSize: BATCH })
      .sort({ deletedAt: 1, _id: 1 })
    for await (const { _id: id, deletedAt, patients, earlier } of found) {
      // Not left to the driver, which closes the connection when the signal comes while it sends.
      signal.throwIfAborted()
      if (deletedAt !== null) yield { id, deletedAt, patients: [...new Set([...patients, ...earlier])] }
    }
  }
}

/**
 * Stamps tombstones whose resource is gone: of a process that died, or is about to stamp them itself. The stamp
 * may be later than the deletion, never earlier, so it is after the start of every export that still found the
 * resource. Where the resource is there it was not deleted, or not yet.
 */
async function stampLeft(
  db: Db,
  tombstones: Collection<Tombstone>,
  resources: string,
  signal: AbortSignal,
): Promise<void> {
  const unstamped = tombstones.find({ deletedAt: null }, { batchSize: BATCH })
  for await (const { _id, attempt } of unstamped) {
    signal.throwIfAborted()
    const resource = await db
      .collection<{ _id: string }>(resources)
      .findOne({ _id }, { projection: { _id: 1 } })
    if (resource === null && attempt !== undefined) await stampTombstone(tombstones, _id, attempt)
  }
}
