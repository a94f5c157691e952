import { PatientAttributePaths } from 'fhir-spec-tools'
import type { TestResource } from './export-host.js'

/**
 * Whose compartments a resource is in, from a published table of the FHIR compartment definition and not from
 * the one that the plugin has.
 */
export function compartmentsOf(resource: TestResource): ReadonlySet<string> {
  if (resource.resourceType === 'Patient') return new Set([resource.id as string])
  const paths: readonly string[] =
    (PatientAttributePaths.patientAttributePaths as Readonly<Record<string, string[]>>)[
      resource.resourceType
    ] ?? []
  const references = paths.flatMap((path) => valuesAt(resource, `${path}.reference`.split('.')))
  return new Set(references.flatMap((reference) => /^Patient\/([^/]+)$/.exec(String(reference))?.[1] ?? []))
}

function valuesAt(value: unknown, [name, ...rest]: readonly string[]): readonly unknown[] {
  if (Array.isArray(value))
    return value.flatMap((item) => valuesAt(item, name === undefined ? [] : [name, ...rest]))
  if (name === undefined) return value === undefined ? [] : [value]
  return typeof value === 'object' && value !== null
    ? valuesAt((value as Readonly<Record<string, unknown>>)[name], rest)
    : []
}
