import type { Db } from 'mongodb'
import { compartmentPaths } from '../../plugin/fhir/patient-compartment.js'
import { collectionName, collectionOf } from './collection.js'
import { hostTypes } from './core.js'
import { pathOf } from './element-filter.js'
import { targetsOfParameter } from './search-filter.js'
import { tombstonesOf } from './tombstone.js'

/** How many collections are worked on at once. */
const AT_ONCE = 8

/**
 * Makes the indexes that are missing: on `meta.lastUpdated`, on the `id` of Patients and on each reference that puts a
 * resource into a patient's compartment. The latter have the key as a second part, so that the pages of a search by patient
 * come out of the index in their order.
 *
 * @param types those whose collection there is, if absent, and their tombstones; a collection that is to come
 *   gets its indexes with its first resource, from the services as from `loadFolder`
 */
export async function ensureIndexes(db: Db, types?: readonly string[]): Promise<void> {
  const waiting = types?.map((type) => () => ensureResourceIndexes(db, type)) ?? (await allStored(db))
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

/** Makes the index on the moment of the deletion if it is missing, and with it the collection. */
export async function ensureTombstoneIndexes(db: Db, type: string): Promise<void> {
  await tombstonesOf(db, type).createIndex({ deletedAt: 1, _id: 1 })
}

async function ensureResourceIndexes(db: Db, type: string): Promise<void> {
  await collectionOf(db, type).createIndexes([
    { key: { 'meta.lastUpdated': 1 } },
    ...(type === 'Patient' ? [{ key: { id: 1 } } as const] : []),
    ...patientReferences(type).map((path) => ({ key: { [path]: 1, _id: 1 } as const })),
  ])
}

/** The work on all collections that there are. */
async function allStored(db: Db): Promise<(() => Promise<void>)[]> {
  const collections = await db.listCollections({}, { nameOnly: true }).toArray()
  const names = new Set(collections.map(({ name }) => name))
  return hostTypes().flatMap((type) => [
    ...(names.has(collectionName(type)) ? [() => ensureResourceIndexes(db, type)] : []),
    ...(names.has(tombstonesOf(db, type).collectionName) ? [() => ensureTombstoneIndexes(db, type)] : []),
  ])
}

/** The paths of the references by which a search finds the resources of a patient. */
function patientReferences(type: string): string[] {
  const names = new Set(['patient', ...compartmentPaths(type).map(({ parameter }) => parameter)])
  const targets = [...names].flatMap((name) => targetsOfParameter(type, name))
  return [...new Set(targets.map(({ steps }) => pathOf(steps, 'reference')))]
}
