import { type CollectionQuery, obstacleIn } from '../search/scan-filter.js'
import { askable, type ExaminedType, isUnchanged } from './examined-type.js'
import type { Remark } from './finding.js'
import { walkPages } from './page-walk.js'
import type { StoredDocuments } from './stored-documents.js'

/**
 * Whether `exportQuery` heeds its arguments as `search` does, which exports with a `_typeFilter` need.
 *
 * @param all what it gave without any
 * @param ask asks it for a search
 * @param open what a query finds in its collection
 * @throws SearchFailure, QueryFailure, and what the database throws
 */
export async function narrowedQuery(
  examined: ExaminedType,
  all: CollectionQuery,
  ask: (query: string) => Promise<CollectionQuery>,
  open: (query: CollectionQuery) => StoredDocuments,
): Promise<readonly Remark[]> {
  const [resource] = askable(examined)
  if (resource === undefined) return []
  const { id } = resource
  const narrowed = await ask(new URLSearchParams({ _id: id }).toString())
  if (narrowed.collection !== all.collection) {
    return [{ ...SEVERAL, detail: `${all.collection}, ${narrowed.collection}` }]
  }
  if (obstacleIn(narrowed.filter) !== undefined) return []
  const { resources, isWhole } = await walkPages(examined.probe, { _id: id })
  // A search that ignores the parameter may be answered by a query that does so too.
  if (!isWhole || resources.length !== 1 || resources[0]?.id !== id) return []
  const documents = await open(narrowed).first(2)
  if (documents.some((document) => document.id !== id)) return [IGNORES]
  if (documents.length === 0 && (await isUnchanged(examined, resource))) return [LOSES]
  return [{ level: 'ok', what: 'Its exportQuery heeds its arguments.' }]
}

const SEVERAL: Remark = {
  level: 'error',
  what: 'Its exportQuery does not always name the same collection.',
  cost: 'Exports fail: they read a type from one collection.',
  remedy: 'Let it name one collection, whatever its arguments and its caller.',
}

const IGNORES: Remark = {
  level: 'error',
  what: 'Its exportQuery ignores an argument that its search heeds.',
  cost: 'Exports with a _typeFilter have resources that were not asked for.',
  remedy: 'Build the filter of both in one place, of the same arguments.',
}

const LOSES: Remark = {
  level: 'error',
  what: 'Its exportQuery does not find by an argument what its search finds.',
  cost: 'Exports with a _typeFilter lack resources.',
  remedy: IGNORES.remedy,
}
