import type { Db } from 'mongodb'
import { compartmentOf } from '../../plugin/fhir/patient-compartment.js'
import { collectionOf } from '../host/collection.js'
import { VERSION } from '../host/index.js'

/**
 * How many resources are in the compartments of patients of generated data, in which all references are plain: counted by
 * the database, so that an export can be checked against it.
 *
 * @param patients absent: all of them
 */
export async function countCompartments(db: Db, patients?: readonly string[]): Promise<number> {
  const reference = patients ? { $in: patients.map((id) => `Patient/${id}`) } : /^Patient\//
  const compartment = compartmentOf(VERSION)
  const counts = await Promise.all(
    compartment.types.map((type) => {
      const fields = compartment.paths(type).map(({ path }) => ({
        [`${path.join('.')}.reference`]: reference,
      }))
      const own = patients ? { id: { $in: patients } } : {}
      return collectionOf(db, type).countDocuments(type === 'Patient' ? own : { $or: fields })
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}
