import { createRequire } from 'node:module'
import type { ExportLevel } from '../fhir/export-request.js'
import { isCompartmentType } from '../fhir/patient-compartment.js'
import type { ResourceType } from '../fhir/resource.js'
import { isResultParameter } from '../fhir/type-filter.js'

/** What the host core calls to make its CapabilityStatement (`config.statementGenerator`). */
export type StatementGenerator = (version: string, logger?: unknown) => Statements

/** Which exports there are. */
export interface OfferedExports {
  readonly levels: readonly ExportLevel[]
  /** The FHIR versions with exports; statements of other versions stay as they are. */
  readonly versions: readonly string[]
  /** The types that an export can read in a version. */
  types(version: string): readonly ResourceType[]
}

interface Statements {
  makeStatement(rest: Rest): unknown
  securityStatement: unknown
}

interface Rest {
  readonly operation?: readonly Operation[]
  readonly resource?: readonly RestResource[]
  readonly [element: string]: unknown
}

interface RestResource {
  readonly type: string
  readonly profile?: unknown
  readonly interaction?: readonly { readonly code: string }[]
  readonly operation?: readonly Operation[]
  readonly extension?: readonly unknown[]
  readonly searchParam?: readonly SearchParameter[]
  readonly [element: string]: unknown
}

interface SearchParameter {
  readonly name: string
  readonly extension?: readonly unknown[]
}

interface Operation {
  readonly name: string
  readonly definition: unknown
}

const GUIDE = 'http://hl7.org/fhir/uv/bulkdata'
const BULK_DATA = `${GUIDE}/CapabilityStatement/bulk-data`
const SYSTEM_EXPORT = { name: 'export', definition: `${GUIDE}/OperationDefinition/export` }
/**
 * Each under two names: `export`, as the guide has it since December 2021, and the one before, which the SMART
 * test suite still looks for.
 */
const RESOURCE_EXPORTS: readonly { level: ExportLevel; type: string; operations: readonly Operation[] }[] = [
  { level: 'patient', type: 'Patient', operations: namedTwice('patient-export') },
  { level: 'group', type: 'Group', operations: namedTwice('group-export') },
]
/**
 * Its definition fixes this URL. The prose of the guide has `Extension` where `StructureDefinition` stands here,
 * and nothing is defined under that name.
 */
const NOT_SUPPORTED = {
  url: `${GUIDE}/StructureDefinition/operation-not-supported`,
  valueCanonical: BULK_DATA,
}
const STU3_SERVICES = 'http://hl7.org/fhir/restful-security-service'
const R4_SERVICES = 'http://terminology.hl7.org/CodeSystem/restful-security-service'

const require = createRequire(import.meta.url)

/**
 * A statement generator that adds the export operations to the statement of the host, at system level and on
 * `Patient` and `Group` (Bulk Data 3.0.0, CapabilityStatement, and "Capability Documentation" of the export
 * page). The types that are exported at every level come first, each of both parts in the order of the host; those
 * that an export cannot read, and the parameters that a filter cannot have, are marked so. What the core writes as R4 does not have it is mended.
 *
 * @param own the host's own generator, if it has one
 */
export function exportStatementGenerator(
  { levels, versions, types }: OfferedExports,
  own: StatementGenerator = coreGenerator,
): StatementGenerator {
  return (version, logger) => {
    const { makeStatement, securityStatement } = own(version, logger)
    if (!versions.includes(version)) return { makeStatement, securityStatement }
    return {
      securityStatement,
      makeStatement: (rest) => {
        const statement = toJson(makeStatement(withExport(rest, levels, new Set(types(version)))))
        const { instantiates = [] } = statement as { instantiates?: readonly string[] }
        return { ...statement, instantiates: [...new Set([...instantiates, BULK_DATA])] }
      },
    }
  }
}

function coreGenerator(version: string): Statements {
  const name = `@asymmetrik/node-fhir-server-core/dist/server/metadata/capability.${version}.js`
  return require(name) as Statements
}

function namedTwice(name: string): readonly Operation[] {
  const definition = `${GUIDE}/OperationDefinition/${name}`
  return [
    { name: 'export', definition },
    { name, definition },
  ]
}

function withExport(rest: Rest, levels: readonly ExportLevel[], readable: ReadonlySet<ResourceType>): Rest {
  const operation = [
    ...(rest.operation ?? []).map(canonical),
    ...(levels.includes('system') ? [SYSTEM_EXPORT] : []),
  ]
  const resources = (rest.resource ?? []).map((resource) => exportedResource(resource, levels, readable))
  const isEverywhere = ({ type }: RestResource) => readable.has(type) && isCompartmentType(type)
  return {
    ...rest,
    ...(operation.length > 0 ? { operation } : {}),
    resource: [...resources.filter(isEverywhere), ...resources.filter((resource) => !isEverywhere(resource))],
  }
}

function exportedResource(
  resource: RestResource,
  levels: readonly ExportLevel[],
  readable: ReadonlySet<ResourceType>,
): RestResource {
  const { profile, interaction, searchParam, extension = [], ...others } = resource
  const { type } = resource
  const added = RESOURCE_EXPORTS.filter((one) => levels.includes(one.level) && one.type === type)
  const operations = [
    ...(resource.operation ?? []).map(canonical),
    ...added.flatMap(({ operations }) => operations),
  ]
  const extensions = [...extension, ...(readable.has(type) ? [] : [NOT_SUPPORTED])]
  return {
    ...others,
    ...(extensions.length > 0 ? { extension: extensions } : {}),
    ...(searchParam === undefined ? {} : { searchParam: searchParam.map(exportedParameter) }),
    ...(profile === undefined ? {} : { profile: profileOf(type, profile) }),
    // The core lists an operation of value sets as an interaction, which R4 does not know as such.
    ...(interaction === undefined
      ? {}
      : { interaction: interaction.filter(({ code }) => code !== 'expand') }),
    ...(operations.length > 0 ? { operation: operations } : {}),
  }
}

/** What can be searched for, but not by `_typeFilter`. */
function exportedParameter(parameter: SearchParameter): SearchParameter {
  const { name, extension = [] } = parameter
  return isResultParameter(name) ? { ...parameter, extension: [...extension, NOT_SUPPORTED] } : parameter
}

/** The core names the page about a type where R4 has the URL of its definition. */
function profileOf(type: string, profile: unknown): unknown {
  const url = referenceOf(profile)
  const isPage = typeof url === 'string' && /^http:\/\/hl7\.org\/fhir\/\w+\.html$/.test(url)
  return isPage ? `http://hl7.org/fhir/StructureDefinition/${type}` : url
}

function canonical(operation: Operation): Operation {
  return { ...operation, definition: referenceOf(operation.definition) }
}

function referenceOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'reference' in value ? value.reference : value
}

/**
 * As it goes to clients; but for empty lists, which FHIR does not have, and the name of a code system: the core
 * has the one from before R4.
 */
function toJson(statement: unknown): object {
  return JSON.parse(JSON.stringify(statement), (name, value: unknown) => {
    if (Array.isArray(value) && value.length === 0) return undefined
    return name === 'system' && value === STU3_SERVICES ? R4_SERVICES : value
  }) as object
}
