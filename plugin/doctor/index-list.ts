import type { Db } from './database.js'

/** The fields of an index in their order. */
export type IndexKey = Readonly<Record<string, unknown>>

/** The indexes of a collection as far as any query can use them; `undefined` when there is no such collection. */
export async function indexesOf(db: Db, collection: string): Promise<readonly IndexKey[] | undefined> {
  try {
    const indexes = await db.collection(collection).indexes()
    return indexes
      .filter(({ hidden, partialFilterExpression, sparse }) => !hidden && !partialFilterExpression && !sparse)
      .map(({ key }) => key as IndexKey)
  } catch (error) {
    if ((error as { codeName?: unknown }).codeName === 'NamespaceNotFound') return undefined
    throw error
  }
}

/** Whether there is an index of just these fields. */
export function hasIndex(indexes: readonly IndexKey[], wanted: IndexKey): boolean {
  return indexes.some((key) => JSON.stringify(key) === JSON.stringify(wanted))
}

/** What makes an index, for `mongosh`. */
export function createIndexCommand(collection: string, key: IndexKey): string {
  return `db.getCollection(${JSON.stringify(collection)}).createIndex(${JSON.stringify(key)})`
}
