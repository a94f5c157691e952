import type { Db } from 'mongodb'
import { compartmentOf } from '../../plugin/fhir/patient-compartment.js'
import { collectionName, collectionOf } from './collection.js'
import { hostTypes, VERSION } from './core.js'
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
 * @param version default: the one that the example host speaks
 */
export async function ensureIndexes(
  db: Db,
  types?: readonly string[],
  version: string = VERSION,
): Promise<void> {
  const waiting =
    types?.map((type) => () => ensureResourceIndexes(db, type, version)) ?? (await allStored(db, version))
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

/** Makes the index on the moment of the deletion if it is missing, and with it the collection. */
export async function ensureTombstoneIndexes(db: Db, type: string, version: string = VERSION): Promise<void> {
  await tombstonesOf(db, type, version).createIndex({ deletedAt: 1, _id: 1 })
}

async function ensureResourceIndexes(db: Db, type: string, version: string): Promise<void> {
  await collectionOf(db, type, version).createIndexes([
    { key: { 'meta.lastUpdated': 1 } },
    ...(type === 'Patient' ? [{ key: { id: 1 } } as const] : []),
    ...patientReferences(type, version).map((path) => ({ key: { [path]: 1, _id: 1 } as const })),
  ])
}

/** The work on all collections that there are. */
async function allStored(db: Db, version: string): Promise<(() => Promise<void>)[]> {
  const collections = await db.listCollections({}, { nameOnly: true }).toArray()
  const names = new Set(collections.map(({ name }) => name))
  return hostTypes(version).flatMap((type) => [
    ...(names.has(collectionName(type, version)) ? [() => ensureResourceIndexes(db, type, version)] : []),
    ...(names.has(tombstonesOf(db, type, version).collectionName)
      ? [() => ensureTombstoneIndexes(db, type, version)]
      : []),
  ])
}

/** The paths of the references by which a search finds the resources of a patient. */
function patientReferences(type: string, version: string): string[] {
  const names = new Set([
    'patient',
    ...compartmentOf(version)
      .paths(type)
      .map(({ parameter }) => parameter),
  ])
  const targets = [...names].flatMap((name) => targetsOfParameter(type, name, version))
  return [...new Set(targets.map(({ steps }) => pathOf(steps, 'reference')))]
}
