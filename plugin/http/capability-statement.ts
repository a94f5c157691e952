import { createRequire } from 'node:module'
import type { ExportLevel } from '../fhir/export-request.js'
import { releaseOf } from '../fhir/fhir-version.js'
import { compartmentOf, type PatientCompartment } from '../fhir/patient-compartment.js'
import type { ResourceType } from '../fhir/resource.js'
import { isResultParameter } from '../fhir/type-filter.js'
import { SECURITY_SERVICES, type StatementForm, statementForm } from './statement-form.js'

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
const NOT_SUPPORTED = `${GUIDE}/StructureDefinition/operation-not-supported`

const require = createRequire(import.meta.url)

/**
 * A statement generator that adds the export operations to the statement of the host, at system level and on
 * `Patient` and `Group` (Bulk Data 3.0.0, CapabilityStatement, and "Capability Documentation" of the export
 * page). The types that are exported at every level come first, each of both parts in the order of the host; those
 * that an export cannot read, and the parameters that a filter cannot have, are marked so. What the core writes as the
 * FHIR version does not have it is mended.
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
    const offer: Offer = {
      ...{ levels, readable: new Set(types(version)), form: statementForm(version) },
      compartment: compartmentOf(version),
    }
    return {
      securityStatement,
      makeStatement(rest) {
        const statement = toJson(makeStatement(withExport(rest, offer)), offer.form)
        if (!offer.form.hasInstantiates) return statement
        const { instantiates = [] } = statement as { instantiates?: readonly string[] }
        return { ...statement, instantiates: [...new Set([...instantiates, BULK_DATA])] }
      },
    }
  }
}

/** What is said about exports in one version, and how. */
interface Offer {
  readonly levels: readonly ExportLevel[]
  readonly readable: ReadonlySet<ResourceType>
  readonly form: StatementForm
  readonly compartment: PatientCompartment
}

function coreGenerator(version: string): Statements {
  const name = `@asymmetrik/node-fhir-server-core/dist/server/metadata/capability.${version}.js`
  const statements = require(name) as Statements
  return releaseOf(version) === 'DSTU2' ? { ...statements, makeStatement: conformanceOf } : statements
}

/** What the core would write, if its own generator for DSTU2 found the class that it looks for. */
function conformanceOf(rest: Rest): object {
  return {
    resourceType: 'Conformance',
    ...{ status: 'active', date: new Date().toISOString(), publisher: 'Not provided', kind: 'instance' },
    software: { name: 'FHIR Server', version: '1.4.0' },
    implementation: { description: 'FHIR Test Server (DSTU2)' },
    ...{ fhirVersion: '1.0.2', acceptUnknown: 'extensions', format: ['application/json+fhir'], rest: [rest] },
  }
}

function namedTwice(name: string): readonly Operation[] {
  const definition = `${GUIDE}/OperationDefinition/${name}`
  return [
    { name: 'export', definition },
    { name, definition },
  ]
}

function withExport(rest: Rest, offer: Offer): Rest {
  const { levels, readable, form, compartment } = offer
  const listed = (rest.resource ?? []).map(({ type }) => type)
  const operation = [
    ...(rest.operation ?? []),
    ...(levels.includes('system') ? [SYSTEM_EXPORT] : []),
    // One name for each, where they are not told apart by the type that lists them.
    ...(form.hasTypeOperations ? [] : listed.flatMap((type) => operationsOf(type, offer).slice(1))),
  ].map((each) => written(each, form))
  const resources = (rest.resource ?? []).map((resource) => exportedResource(resource, offer))
  const isEverywhere = ({ type }: RestResource) => readable.has(type) && compartment.has(type)
  return {
    ...rest,
    ...(operation.length > 0 ? { operation } : {}),
    resource: [...resources.filter(isEverywhere), ...resources.filter((resource) => !isEverywhere(resource))],
  }
}

/** The exports that begin at a type. */
function operationsOf(type: ResourceType, { levels }: Offer): readonly Operation[] {
  return RESOURCE_EXPORTS.filter((one) => levels.includes(one.level) && one.type === type).flatMap(
    ({ operations }) => operations,
  )
}

function exportedResource(resource: RestResource, offer: Offer): RestResource {
  const { profile, interaction, searchParam, extension = [], ...others } = resource
  const { type } = resource
  const { readable, form } = offer
  const added = form.hasTypeOperations ? operationsOf(type, offer) : []
  const operations = [...(resource.operation ?? []), ...added].map((each) => written(each, form))
  const extensions = [...extension, ...(readable.has(type) ? [] : [notSupported(form)])]
  return {
    ...others,
    ...(extensions.length > 0 ? { extension: extensions } : {}),
    ...(searchParam === undefined
      ? {}
      : { searchParam: searchParam.map((each) => exportedParameter(each, form)) }),
    ...(profile === undefined ? {} : { profile: form.definition(profileOf(type, profile)) }),
    // The core lists an operation of value sets as an interaction, which FHIR does not know as such.
    ...(interaction === undefined
      ? {}
      : { interaction: interaction.filter(({ code }) => code !== 'expand') }),
    ...(operations.length > 0 ? { operation: operations } : {}),
  }
}

/** What can be searched for, but not by `_typeFilter`. */
function exportedParameter(parameter: SearchParameter, form: StatementForm): SearchParameter {
  const { name, extension = [] } = parameter
  return isResultParameter(name) ? { ...parameter, extension: [...extension, notSupported(form)] } : parameter
}

function notSupported({ urlValue }: StatementForm): object {
  return { url: NOT_SUPPORTED, [urlValue]: BULK_DATA }
}

/** The core names the page about a type where FHIR has the URL of its definition. */
function profileOf(type: string, profile: unknown): unknown {
  const url = referenceOf(profile)
  const isPage = typeof url === 'string' && /^http:\/\/hl7\.org\/fhir\/\w+\.html$/.test(url)
  return isPage ? `http://hl7.org/fhir/StructureDefinition/${type}` : url
}

function written(operation: Operation, { definition }: StatementForm): Operation {
  return { ...operation, definition: definition(referenceOf(operation.definition)) }
}

function referenceOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'reference' in value ? value.reference : value
}

/**
 * As it goes to clients; but for empty lists, which FHIR does not have, and the name of a code system: the core
 * has the one from before R4 for all versions.
 */
function toJson(statement: unknown, { securityServices }: StatementForm): object {
  return JSON.parse(JSON.stringify(statement), (name, value: unknown) => {
    if (Array.isArray(value) && value.length === 0) return undefined
    return name === 'system' && SECURITY_SERVICES.has(value) ? securityServices : value
  }) as object
}
