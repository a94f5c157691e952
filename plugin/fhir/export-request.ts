import type { Issue } from '../errors.js'
import { type AssociatedProvenance, parseAssociatedData } from './associated-data.js'
import { versionOf } from './base-url.js'
import { type Elements, type ElementsOf, parseElements } from './elements.js'
import { Findings, quote } from './findings.js'
import { parseInstant } from './instant.js'
import type { Parameter } from './parameter.js'
import { compartmentOf } from './patient-compartment.js'
import { localReference } from './reference.js'
import type { ResourceType } from './resource.js'
import { type CheckSearch, parseTypeFilters, type TypeFilter } from './type-filter.js'

export type ExportLevel = 'system' | 'patient' | 'group'

/** The parameters of a kick-off request, parsed and checked (Bulk Data 3.0.0, "Query Parameters"). */
export interface ExportRequest {
  /** The types to export: never empty, each one known to the host and possible at the level, each one once. */
  readonly types: readonly ResourceType[]
  /** Only resources updated after this time. */
  readonly since?: Date
  /** Only resources updated before this time. */
  readonly before?: Date
  /** Absent: no type is filtered. */
  readonly filters?: readonly TypeFilter[]
  /** Absent: all types are exported whole. */
  readonly elements?: Elements
  /** Ids of the only patients to export; not yet known to exist. */
  readonly patients?: readonly string[]
  /** Which Provenance comes with the other resources, and no other then; `Provenance` is among the types. */
  readonly associated?: AssociatedProvenance
  /** The container that the files are to go to, as the client wrote it: only the storage knows which there are. */
  readonly container?: string
  /** What was left out because the client asked for lenient handling, or because it makes no difference. */
  readonly ignored: readonly Issue[]
}

/** What a kick-off is checked against. */
export interface KickOffContext {
  readonly level: ExportLevel
  /** The types that the host can search. */
  readonly hostTypes: readonly ResourceType[]
  readonly lenient: boolean
  readonly now: Date
  /** Whether the kick-off came by POST. */
  readonly isPost: boolean
  /** The FHIR base URL of this server, which ends with the version. */
  readonly base: string
  /** Whether the storage has containers to pick from. */
  readonly hasContainers: boolean
  readonly checkSearch: CheckSearch
  readonly elementsOf: ElementsOf
}

const OUTPUT_FORMATS = ['application/fhir+ndjson', 'application/ndjson', 'ndjson']
const SUPPORTED = new Set([
  ...[
    '_outputFormat',
    '_since',
    '_until',
    '_till',
    '_type',
    '_typeFilter',
    '_typefilter',
    '_elements',
    'patient',
    'includeAssociatedData',
    'allowPartialManifests',
  ],
  // About the form of an answer, which has only one here: harmless.
  ...['_format', '_pretty'],
])
const CLOCK_SKEW_MS = 60_000

/**
 * Checks all parameters and reports everything that is wrong at once.
 *
 * @throws ExportError 400 with one issue for each fault. With lenient handling, parameters, types, filters and
 * elements that this server does not know are left out instead, unless no type would remain.
 */
export function parseExportRequest(parameters: readonly Parameter[], context: KickOffContext): ExportRequest {
  const { level, now, checkSearch: check, elementsOf } = context
  const findings = new Findings(context.lenient)
  const values = (...names: readonly string[]) =>
    parameters.filter(({ name }) => names.includes(name)).map(({ value }) => value)
  const single = (...names: readonly string[]): string | undefined => {
    const [first, ...more] = values(...names)
    if (more.length > 0) findings.fault(`Parameter ${names[0]} may be given only once.`, names[0] as string)
    return first
  }

  for (const name of new Set(parameters.map((parameter) => parameter.name))) {
    if (SUPPORTED.has(name) || (name === '_container' && context.hasContainers)) continue
    findings.unsupported(`Parameter ${quote(name)} is not supported by this server.`, name.slice(0, 64))
  }
  checkOutputFormat(single('_outputFormat'), findings)
  checkPartialManifests(single('allowPartialManifests'), findings)
  const since = readInstant('_since', single('_since'), findings)
  if (since !== undefined && since.getTime() > now.getTime() + CLOCK_SKEW_MS) {
    findings.fault(
      `_since ${since.toISOString()} lies in the future; it is ${now.toISOString()} here.`,
      '_since',
    )
  }
  const before = readInstant('_until', single('_until', '_till'), findings)
  if (since !== undefined && before !== undefined && before <= since) {
    findings.fault('_until must be later than _since.', '_until')
  }
  const associated = parseAssociatedData(values('includeAssociatedData'), {
    ...{ hasProvenance: context.hostTypes.includes('Provenance'), findings },
  })
  const named = readTypes(values('_type'), context, findings)
  const types = associated === undefined ? named : [...new Set([...named, 'Provenance'])]
  if (named.length === 0 && !findings.hasFaults) {
    findings.fault(`None of the types asked for can be exported at ${level} level by this server.`, '_type')
  }
  const filters = parseTypeFilters(values('_typeFilter', '_typefilter'), { types, check, findings })
  const elements = parseElements(values('_elements'), { types, elementsOf, findings })
  const patients = readPatients(values('patient'), context, findings)
  const container = context.hasContainers ? single('_container') : undefined
  findings.throwFaults()
  return {
    types,
    ...(since === undefined ? {} : { since }),
    ...(before === undefined ? {} : { before }),
    ...(filters.length === 0 ? {} : { filters }),
    ...(elements === undefined ? {} : { elements }),
    ...(patients === undefined ? {} : { patients }),
    ...(associated === undefined ? {} : { associated }),
    ...(container === undefined ? {} : { container }),
    ignored: findings.ignored,
  }
}

function checkOutputFormat(value: string | undefined, findings: Findings): void {
  if (value === undefined) return
  // A `+` that was not encoded in a URL arrives as a space.
  const format = value.trim().replace(' ', '+').toLowerCase()
  if (OUTPUT_FORMATS.includes(format)) return
  const text = `_outputFormat ${quote(value)} is not supported; use ${OUTPUT_FORMATS.join(', ')}.`
  findings.fault(text, '_outputFormat')
}

/** A server may page a manifest for clients that allow it; this one never has to. */
function checkPartialManifests(value: string | undefined, findings: Findings): void {
  if (value === undefined || value === 'true' || value === 'false') return
  findings.fault(`allowPartialManifests ${quote(value)} is neither true nor false.`, 'allowPartialManifests')
}

function readInstant(name: string, value: string | undefined, findings: Findings): Date | undefined {
  if (value === undefined) return undefined
  const instant = parseInstant(value)
  if (instant !== undefined) return instant
  const example = 'give date, time and time zone, such as 2024-01-31T00:00:00Z'
  findings.fault(`${name} ${quote(value)} is not a FHIR instant; ${example}.`, name)
  return undefined
}

function readTypes(
  values: readonly string[],
  { level, hostTypes, base }: KickOffContext,
  findings: Findings,
): readonly ResourceType[] {
  const compartment = compartmentOf(versionOf(base))
  const isPossible = (type: ResourceType) => level === 'system' || compartment.has(type)
  if (values.length === 0) return hostTypes.filter(isPossible)
  const names = new Set(values.flatMap((value) => value.split(',')).map((name) => name.trim()))
  return [...names].filter((name) => {
    if (!hostTypes.includes(name)) {
      findings.unsupported(
        `_type ${quote(name)} is not a resource type that this server can export.`,
        '_type',
      )
    } else if (!isPossible(name)) {
      findings.note(
        `${name} resources are in no patient compartment; there are none at ${level} level.`,
        '_type',
      )
    }
    return hostTypes.includes(name) && isPossible(name)
  })
}

/** To ignore this parameter would hand out everyone, so lenient handling does not. */
function readPatients(
  values: readonly string[],
  { level, isPost, base }: KickOffContext,
  findings: Findings,
): readonly string[] | undefined {
  if (values.length === 0) return undefined
  if (level === 'system') findings.fault('patient is for exports at patient and group level.', 'patient')
  else if (!isPost) findings.fault('patient can be given by POST only.', 'patient')
  const ids = values
    .flatMap((value) => value.split(','))
    .flatMap((value) => {
      const reference = localReference(value.trim(), base)
      if (reference?.type === 'Patient') return [reference.id]
      findings.fault(`patient ${quote(value)} is not a reference such as Patient/123.`, 'patient')
      return []
    })
  return [...new Set(ids)]
}
