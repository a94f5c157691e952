import type { Document } from 'mongodb'
import { versionOf } from '../fhir/base-url.js'
import { compartmentOf } from '../fhir/patient-compartment.js'
import type { ResourceType } from '../fhir/resource.js'

/** The fields by which the resources of a type that are in the compartments of patients are found in its collection. */
export function patientFields(type: ResourceType, version: string): readonly string[] {
  if (type === 'Patient') return ['id']
  return [
    ...new Set(
      compartmentOf(version)
        .paths(type)
        .map(({ path }) => [...path, 'reference'].join('.')),
    ),
  ]
}

/**
 * The filter for the resources in the compartments of some patients. It finds a reference in every form that
 * `localReference` takes for one on this server, and may find more.
 *
 * @param base the FHIR base URL of this server, which ends with the version of the resources
 */
export function patientFilter(type: ResourceType, patients: readonly string[], base: string): Document {
  if (type === 'Patient') return { id: { $in: patients } }
  const references = patients.flatMap((patient) => [`Patient/${patient}`, `${base}/Patient/${patient}`])
  // Anchored, so that they are ranges of an index.
  const forms = [...references, ...references.map((reference) => startingWith(`${reference}/_history/`))]
  const [only, ...others] = patientFields(type, versionOf(base)).map((field) => ({ [field]: { $in: forms } }))
  // The database takes longer to plan an `$or`.
  return only !== undefined && others.length === 0 ? only : { $or: [only, ...others] }
}

function startingWith(text: string): RegExp {
  return new RegExp(`^${text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}`)
}
