import { createRequire } from 'node:module'
import type { ExportLevel } from '../fhir/export-request.js'

/** What the host core calls to make its CapabilityStatement (`config.statementGenerator`). */
export type StatementGenerator = (version: string, logger?: unknown) => Statements

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
  readonly operation?: readonly Operation[]
  readonly [element: string]: unknown
}

interface Operation {
  readonly name: string
  readonly definition: unknown
}

const GUIDE = 'http://hl7.org/fhir/uv/bulkdata'
const BULK_DATA = `${GUIDE}/CapabilityStatement/bulk-data`
const SYSTEM_EXPORT = { name: 'export', definition: `${GUIDE}/OperationDefinition/export` }
const RESOURCE_EXPORTS: readonly { level: ExportLevel; type: string; operation: Operation }[] = [
  {
    level: 'patient',
    type: 'Patient',
    operation: { name: 'export', definition: `${GUIDE}/OperationDefinition/patient-export` },
  },
  {
    level: 'group',
    type: 'Group',
    operation: { name: 'export', definition: `${GUIDE}/OperationDefinition/group-export` },
  },
]

const require = createRequire(import.meta.url)

/**
 * A statement generator that adds the export operations to the statement of the host, at system level and on
 * `Patient` and `Group` (Bulk Data 3.0.0, CapabilityStatement). Definitions and profiles, which the core writes
 * as objects with a `reference`, become the canonical strings that R4 has there.
 *
 * @param offered the levels and the FHIR versions with exports; statements of other versions stay as they are
 * @param own the host's own generator, if it has one
 */
export function exportStatementGenerator(
  { levels, versions }: { levels: readonly ExportLevel[]; versions: readonly string[] },
  own: StatementGenerator = coreGenerator,
): StatementGenerator {
  return (version, logger) => {
    const { makeStatement, securityStatement } = own(version, logger)
    if (!versions.includes(version)) return { makeStatement, securityStatement }
    return {
      securityStatement,
      makeStatement: (rest) => {
        const statement = toJson(makeStatement(withExport(rest, levels)))
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

function withExport(rest: Rest, levels: readonly ExportLevel[]): Rest {
  const operation = [
    ...(rest.operation ?? []).map(canonical),
    ...(levels.includes('system') ? [SYSTEM_EXPORT] : []),
  ]
  return {
    ...rest,
    ...(operation.length > 0 ? { operation } : {}),
    resource: (rest.resource ?? []).map((resource) => {
      const added = RESOURCE_EXPORTS.filter(
        ({ level, type }) => levels.includes(level) && type === resource.type,
      )
      const operations = [
        ...(resource.operation ?? []).map(canonical),
        ...added.map(({ operation }) => operation),
      ]
      const { profile, ...others } = resource
      return {
        ...others,
        ...(profile === undefined ? {} : { profile: referenceOf(profile) }),
        ...(operations.length > 0 ? { operation: operations } : {}),
      }
    }),
  }
}

function canonical(operation: Operation): Operation {
  return { ...operation, definition: referenceOf(operation.definition) }
}

function referenceOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'reference' in value ? value.reference : value
}

function toJson(statement: unknown): object {
  return JSON.parse(JSON.stringify(statement)) as object
}
