import type { Db, Document } from 'mongodb'
import type { ResourceType } from '../fhir/resource.js'
import { ScanCollection, type ScanRange } from './scan-collection.js'
import { PatientDocuments } from './scan-documents.js'
import type { CollectionQuery } from './scan-filter.js'
import { ScanLines, type ScanRequest } from './scan-lines.js'
import { patientFilter } from './scan-patient-filter.js'
import type { Membership } from './scan-selection.js'
import type { BatchSource } from './scan-source.js'

/** Where scans read. */
export interface ScannedDatabase {
  readonly db: Db
  readonly source: BatchSource
}

/** The resources of a type that a query finds in a collection. */
export interface ScannedQuery extends CollectionQuery {
  readonly type: ResourceType
}

/** Reads a range, in ascending order of `_id`. */
export function openRange(
  database: ScannedDatabase,
  { type, collection, filter }: ScannedQuery,
  range: ScanRange,
  request: ScanRequest,
): ScanLines {
  const { after, window } = request
  return new ScanLines(type, collectionOf(database, collection).open(range, after, window, filter), request)
}

/**
 * Reads what is in the compartments of patients, by an index on references to them.
 *
 * @param batches the patients that are read for together; all in ascending order
 */
export function openPatients(
  database: ScannedDatabase,
  { type, collection, filter }: ScannedQuery,
  batches: AsyncIterator<readonly string[]>,
  request: ScanRequest & { readonly membership: Membership },
): ScanLines {
  const documents = collectionOf(database, collection)
  const open = (patients: readonly string[], isFirst: boolean) => {
    const filters: Document[] = [patientFilter(type, patients, request.membership.base), filter]
    return documents.openMatches(filters, isFirst ? request.after : undefined, request.window)
  }
  return new ScanLines(type, new PatientDocuments(batches, open), request)
}

function collectionOf({ db, source }: ScannedDatabase, name: string): ScanCollection {
  return new ScanCollection(db, name, source)
}
