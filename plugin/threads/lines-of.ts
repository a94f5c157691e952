import { hasAttachments, withAbsoluteAttachments } from '../fhir/attachment.js'
import { versionOf } from '../fhir/base-url.js'
import { isPatientContent } from '../fhir/binary.js'
import type { PatientBatches, ScanOrder } from '../jobs/scan-order.js'
import { openPatients, openRange, type ScannedDatabase } from '../search/open-scan.js'
import type { Inspection, ScanLines, ScanRequest } from '../search/scan-lines.js'

/** The lines that an order wants. */
export function linesOf(
  order: ScanOrder,
  batches: PatientBatches | undefined,
  database: ScannedDatabase,
): ScanLines {
  const { base, range, members } = order
  const request = requestOf(order)
  const membership = members && { base, members }
  if (range !== undefined) return openRange(database, order, range, { ...request, membership })
  if (batches === undefined || membership === undefined) throw new Error('A scan by patients needs patients.')
  return openPatients(database, order, batches, { ...request, membership })
}

function requestOf({ type, base, after, window, elements }: ScanOrder): ScanRequest {
  return {
    ...{ after, window, inspection: inspectionOf(type, base) },
    elements: elements && { asked: elements, version: versionOf(base) },
  }
}

function inspectionOf(type: string, base: string): Inspection | undefined {
  if (type === 'Binary') {
    return {
      element: 'securityContext',
      inspect: (binary) => (isPatientContent(binary) ? undefined : binary),
    }
  }
  if (!hasAttachments(type, versionOf(base))) return undefined
  return { element: 'url', inspect: (resource) => withAbsoluteAttachments(resource, base) }
}
