import { ExportError } from '../errors.js'
import { hasAttachments, withAbsoluteAttachments } from '../fhir/attachment.js'
import { versionOf } from '../fhir/base-url.js'
import { isPatientContent } from '../fhir/binary.js'
import type { ResourceType } from '../fhir/resource.js'
import type { Inspection, ScanLines, Scans } from '../search/scan-lines.js'
import type { ExportJob, IdRange, Position } from './model.js'

/**
 * Whether the collection of a type has just what a job wants of it. Cohorts and filters are what searches are for, and
 * associated Provenance is chosen by other resources.
 */
function isWholeType({ level, filters = [], provenance }: ExportJob, type: ResourceType): boolean {
  const isChosen = type === 'Provenance' && provenance !== undefined
  return level === 'system' && !isChosen && !filters.some((filter) => filter.type === type)
}

/** The types of a job that are read from their collections, each with the bounds of its ranges. */
export async function planScans(
  job: ExportJob,
  scans: Scans | undefined,
): Promise<ExportJob['scans'] | undefined> {
  const version = versionOf(job.base)
  const scanned = job.types.flatMap((type) => {
    const collection = isWholeType(job, type) ? scans?.of(type, version) : undefined
    return collection === undefined ? [] : [{ type, collection }]
  })
  if (scanned.length === 0) return undefined
  const ranges = await Promise.all(scanned.map(({ collection }) => collection.ranges()))
  return Object.fromEntries(scanned.map(({ type }, index) => [type, ranges[index] ?? []]))
}

/**
 * The lines of a range of a type.
 *
 * @throws ExportError 503 when this process knows no collection of the type, as another one does
 */
export function scanOf(
  job: ExportJob,
  { type, scan }: { readonly type: ResourceType; readonly scan: IdRange },
  scans: Scans | undefined,
  from: Position | undefined,
): ScanLines {
  const scanned = scans?.of(type, versionOf(job.base))
  if (scanned === undefined) {
    const text = `This worker knows no collection of ${type}, as the process has that planned the export.`
    throw new ExportError(503, text, { code: 'transient' })
  }
  const { since, before, transactionTime: until, elements } = job
  return scanned.read({
    ...{ range: scan, after: from?.scanned, elements: elements?.[type], inspection: inspectionOf(type, job) },
    window: { ...(since ? { since } : {}), ...(before ? { before } : {}), until },
  })
}

function inspectionOf(type: ResourceType, { base }: ExportJob): Inspection | undefined {
  if (type === 'Binary') {
    return {
      element: 'securityContext',
      inspect: (binary) => (isPatientContent(binary) ? undefined : binary),
    }
  }
  if (!hasAttachments(type)) return undefined
  return { element: 'url', inspect: (resource) => withAbsoluteAttachments(resource, base) }
}
