import type { Db } from 'mongodb'
import { compartmentPaths } from '../../plugin/fhir/patient-compartment.js'
import { collectionName, collectionOf } from './collection.js'
import { hostTypes } from './core.js'
import { pathOf } from './element-filter.js'
import { targetsOfParameter } from './search-filter.js'

/** How many collections are worked on at once. */
const AT_ONCE = 8

/**
 * Makes the indexes that are missing: on `meta.lastUpdated` and on each reference that puts a resource into a
 * patient's compartment. The latter have the key as a second part, so that the pages of a search by patient
 * come out of the index in their order.
 *
 * @param types those whose collection there is, if absent; a collection that is to come gets its indexes with
 *   its first resource, from the services as from `loadFolder`
 */
export async function ensureIndexes(db: Db, types?: readonly string[]): Promise<void> {
  const waiting = [...(types ?? (await storedTypes(db)))]
  const work = async () => {
    for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
      await collectionOf(db, type).createIndexes([
        { key: { 'meta.lastUpdated': 1 } },
        ...patientReferences(type).map((path) => ({ key: { [path]: 1, _id: 1 } as const })),
      ])
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

async function storedTypes(db: Db): Promise<string[]> {
  const collections = await db.listCollections({}, { nameOnly: true }).toArray()
  const names = new Set(collections.map(({ name }) => name))
  return hostTypes().filter((type) => names.has(collectionName(type)))
}

/** The paths of the references by which a search finds the resources of a patient. */
function patientReferences(type: string): string[] {
  const names = new Set(['patient', ...compartmentPaths(type).map(({ parameter }) => parameter)])
  const targets = [...names].flatMap((name) => targetsOfParameter(type, name))
  return [...new Set(targets.map(({ steps }) => pathOf(steps, 'reference')))]
}
