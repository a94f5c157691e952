import type { CollectionQuery } from '../search/scan-filter.js'
import type { Collection, Db, Document } from './database.js'

/** What tells a resource in its collection. */
export interface StoredDocument {
  readonly _id: unknown
  readonly resourceType?: unknown
  readonly id?: unknown
}

/** What a query finds in its collection. */
export class StoredDocuments {
  readonly #collection: Collection<StoredDocument>
  readonly #filter: Document
  readonly #options: { readonly projection: Document; readonly maxTimeMS: number }

  /** @param maxTimeMS how long the database may work for each question */
  constructor(db: Db, { collection, filter }: CollectionQuery, maxTimeMS: number) {
    this.#collection = db.collection(collection)
    this.#filter = filter
    this.#options = { projection: { _id: 1, resourceType: 1, id: 1 }, maxTimeMS }
  }

  first(limit: number): Promise<readonly StoredDocument[]> {
    return this.#collection.find(this.#filter, { ...this.#options, limit }).toArray()
  }

  /** Some with the lowest keys and as many with the highest, each once. */
  async fromBothEnds(limit: number): Promise<readonly StoredDocument[]> {
    const half = (order: 1 | -1) =>
      this.#collection.find(this.#filter, { ...this.#options, limit, sort: { _id: order } }).toArray()
    const [low, high] = await Promise.all([half(1), half(-1)])
    const known = new Set(low.map(({ _id }) => String(_id)))
    return [...low, ...high.filter(({ _id }) => !known.has(String(_id)))]
  }

  /** Those of these ids that it has; most hosts have them as the key, so that is tried first. */
  async idsAmong(ids: readonly string[]): Promise<ReadonlySet<unknown>> {
    const byKey = await this.#idsBy('_id', ids)
    const others = ids.filter((id) => !byKey.has(id))
    if (others.length === 0) return byKey
    return new Set([...byKey, ...(await this.#idsBy('id', others))])
  }

  /** Whether a document is still there. */
  async has({ _id }: StoredDocument): Promise<boolean> {
    return (await this.#collection.findOne(this.#matching({ _id }), this.#options)) !== null
  }

  async #idsBy(field: '_id' | 'id', ids: readonly string[]): Promise<ReadonlySet<unknown>> {
    const found = this.#collection.find(this.#matching({ [field]: { $in: ids } }), this.#options)
    return new Set((await found.toArray()).map(({ id }) => id))
  }

  #matching(filter: Document): Document {
    return { $and: [this.#filter, filter] }
  }
}
