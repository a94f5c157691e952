import { createRequire } from 'node:module'

// The host core is CommonJS without types. This file is the only one of the example host that reaches into it.

/** The FHIR version that the example host speaks unless it is told otherwise, as the core writes it: it is also the first path segment. */
export const VERSION = '4_0_0'

/** A search parameter as the core declares it. */
export interface SearchParameter {
  readonly name: string
  /** The FHIR type: `token`, `string`, `reference`, `date`, `number`, `quantity`, `uri`, `composite`, `special`. */
  readonly type: string
  /** Such as `Patient.telecom[system/@value='email']`; empty for those that read no element. */
  readonly xpath?: string
}

/** A schema class of the core: a FHIR data type, backbone element or resource. */
export interface SchemaClass {
  new (data: object): object
  readonly resourceType: string
}

/** What the core's error handler answers with: `statusCode` and an OperationOutcome of the `issue`s. */
export interface ServerErrorClass {
  new (message: string, options: { statusCode: number; issue: readonly object[] }): Error
}

const require = createRequire(import.meta.url)
const CORE = '@asymmetrik/node-fhir-server-core'

export const { ServerError } = require(CORE) as { ServerError: ServerErrorClass }

const { getSearchParameters } = require(`${CORE}/dist/server/utils/params.utils.js`) as {
  getSearchParameters(profile: string, version: string): SearchParameter[]
}
const { resource: describeResource } = require(`${CORE}/dist/server/metadata/capability.template.js`) as {
  resource(version: string, profile: string): { type: string; searchParam: SearchParameter[] }
}

/** Controllers of the core that are no types of their own: nothing can be stored as one. */
const ABSTRACT: readonly string[] = ['Resource', 'DomainResource']

/** What the core has for one version, loaded when it is first asked for. */
interface VersionParts {
  readonly schemas: Readonly<Record<string, SchemaClass>>
  readonly controllers: Readonly<Record<string, unknown>>
  types?: readonly string[]
}

const loaded = new Map<string, VersionParts>()

function partsOf(version: string): VersionParts {
  const known = loaded.get(version)
  if (known !== undefined) return known
  const folder = `${CORE}/dist/server/resources/${version}`
  const parts = { schemas: require(`${folder}/schemas`), controllers: require(`${folder}/controllers`) }
  loaded.set(version, parts)
  return parts
}

/** The resource types that the core can serve in a version, in alphabetical order. */
export function hostTypes(version: string = VERSION): readonly string[] {
  const parts = partsOf(version)
  // In some versions the core has a controller for a class that is not there.
  parts.types ??= Object.keys(parts.controllers)
    .flatMap((name) => parts.schemas[name.toLowerCase()]?.resourceType ?? [])
    .filter((type) => !ABSTRACT.includes(type))
    .sort()
  return parts.types
}

/** The parameters that the core declares for a type, those of all resources among them; none if it has no such type. */
export function searchParameters(type: string, version: string = VERSION): SearchParameter[] {
  return hostTypes(version).includes(type) ? getSearchParameters(type, version) : []
}

/** What the core would say about a type in its CapabilityStatement; the caller may change the answer. */
export function capabilityOf(
  type: string,
  version: string = VERSION,
): { type: string; searchParam: SearchParameter[] } {
  return describeResource(version, type)
}

/** @throws for a name that is not a resource type of the core, upper and lower case being equal */
export function schemaOf(type: string, version: string = VERSION): SchemaClass {
  const schema = partsOf(version).schemas[type.toLowerCase()]
  if (schema === undefined) throw new Error(`The core has no resource type ${type} in ${version}.`)
  return schema
}
