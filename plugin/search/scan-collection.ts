import { BSON, type Db, type Document, type IndexDescriptionInfo } from 'mongodb'
import type { ResourceType } from '../fhir/resource.js'
import type { Window } from '../fhir/window.js'
import type { Batch, Batches } from './scan-batches.js'
import { endOfValue, findField } from './scan-bson.js'
import { BatchSource } from './scan-source.js'

/** Names the collection that keeps a type as plain FHIR JSON, one resource a document; `undefined`: none does. */
export type CollectionNames = (type: ResourceType, version: string) => string | undefined

/** A stretch of `_id`s, in the order of BSON, as EJSON. */
export interface ScanRange {
  readonly from?: string
  /** Itself not included. */
  readonly below?: string
}

/** So many documents make a range of their own for a worker. */
const SMALLEST_RANGE = 50_000
const MOST_RANGES = 16
/** How many ids are drawn for each range, so that ranges are of about the same size. */
const DRAWN = 40
const KEY = Buffer.from('_id\0')
/** How long documents may be counted, in ms; it only helps to be fast. */
const LONGEST_COUNT = 2000

/** Times may be kept with any offset: their text is at most so far from that of the same time in UTC, in ms. */
const WIDEST_OFFSET = 15 * 3_600_000

/** A collection of resources, read by `_id` past the services of the host. */
export class ScanCollection {
  constructor(
    private readonly db: Db,
    private readonly name: string,
    private readonly source: BatchSource = new BatchSource(db),
  ) {}

  /**
   * Cuts the collection into ranges of about the same size.
   *
   * @returns the first `_id` of each range but the first
   */
  async ranges(): Promise<readonly string[]> {
    const collection = this.db.collection(this.name)
    const count = Math.min(
      MOST_RANGES,
      Math.floor((await collection.estimatedDocumentCount()) / SMALLEST_RANGE),
    )
    if (count < 2) return []
    const drawn = await collection
      .aggregate<Document>([
        { $sample: { size: count * DRAWN } },
        { $project: { _id: 1 } },
        { $sort: { _id: 1 } },
      ])
      .toArray()
    const ids = [...new Set(drawn.map(idOf))]
    const step = ids.length / count
    const firsts = Array.from({ length: count - 1 }, (_, index) => ids[Math.round(step * (index + 1))])
    return [...new Set(firsts.filter((first) => first !== undefined))]
  }

  /**
   * Opens a range, in ascending order.
   *
   * @param after go on after this `_id`
   * @param window documents outside of it may be left out
   * @param only documents that this filter matches
   */
  open(
    { from, below }: ScanRange,
    after: string | undefined,
    window: Window,
    only: Document = {},
  ): DocumentCursor {
    // Bounds of the index, unlike comparisons, go over all types that an `_id` may have.
    const first = after ?? from
    const options = {
      hint: { _id: 1 },
      // The index has that order already; a router merges the answers of shards by it.
      sort: { _id: 1 } as const,
      ...(first === undefined ? {} : { min: { _id: idFrom(first) } }),
      ...(below === undefined ? {} : { max: { _id: idFrom(below) } }),
    }
    return new DocumentCursor(
      this.source.open(this.name, { filter: allOf([filterFor(window), only]), options }),
      after,
    )
  }

  /**
   * Opens what filters match, in ascending order of `_id`, by whatever index the database takes.
   *
   * @param after go on after this `_id`
   */
  openMatches(filters: readonly Document[], after: string | undefined, window: Window): DocumentCursor {
    // In an expression, unlike in a query, a comparison goes over all types that an `_id` may have.
    const rest = after === undefined ? [] : [{ $expr: { $gt: ['$_id', { $literal: idFrom(after) }] } }]
    const query = {
      filter: allOf([filterFor(window), ...filters, ...rest]),
      options: { sort: { _id: 1 } as const, allowDiskUse: true },
    }
    return new DocumentCursor(this.source.open(this.name, query), undefined)
  }

  /** Whether there is no document at all; looked up, as counts may be wrong after a crash of the database. */
  async isEmpty(): Promise<boolean> {
    return (await this.db.collection(this.name).findOne({}, { projection: { _id: 1 } })) === null
  }

  /**
   * About how many documents there are or, with a filter, how many it matches.
   *
   * @param most matches are counted up to so many
   * @throws MongoServerError when counting them takes longer than two seconds
   */
  count(filter: Document, most: number): Promise<number> {
    const collection = this.db.collection(this.name)
    if (Object.keys(filter).length === 0) return collection.estimatedDocumentCount()
    return collection.countDocuments(filter, { limit: Math.max(1, most), maxTimeMS: LONGEST_COUNT })
  }

  /** Those of these fields by which nothing can be found without reading the whole collection. */
  async unindexed(fields: readonly string[]): Promise<readonly string[]> {
    const indexes = await this.db.collection(this.name).indexes()
    const indexed = new Set(indexes.filter(isComplete).map(({ key }) => firstOf(key)))
    return fields.filter((field) => !indexed.has(field))
  }
}

/** Whether an index has all documents that have the field, in the order of the text of the field. */
function isComplete(index: IndexDescriptionInfo): boolean {
  const { partialFilterExpression, collation, hidden } = index
  return partialFilterExpression === undefined && collation === undefined && hidden !== true
}

/** The field that an index begins with; `undefined` when it is of a special kind, such as `text`. */
function firstOf(key: IndexDescriptionInfo['key']): string | undefined {
  const [field, direction] = Object.entries(key)[0] ?? []
  return typeof direction === 'number' ? field : undefined
}

function allOf(filters: readonly Document[]): Document {
  const narrowing = filters.filter((filter) => Object.keys(filter).length > 0)
  return narrowing.length < 2 ? (narrowing[0] ?? {}) : { $and: narrowing }
}

/** The documents of a query, in the order of their `_id`. */
export class DocumentCursor {
  #batch: Batch | undefined
  #coming: Promise<Batch | undefined> | undefined
  #isBegun = false

  constructor(
    private readonly batches: Batches,
    /** Left out, should it come. */
    private readonly after: string | undefined,
  ) {}

  /** The next document of the batch; `undefined` when another one is to be fetched. */
  next(): Buffer | undefined {
    return this.#batch?.next()
  }

  /** Has the first documents asked for before `fetch` is called. */
  prepare(): void {
    this.#coming ??= this.batches.next()
    // Whoever fetches is told; nobody may come to do so.
    this.#coming.catch(() => undefined)
  }

  /** Hands out the last document once more. */
  back(): void {
    this.#batch?.back()
  }

  /** @returns `false` when there are no more documents */
  async fetch(): Promise<boolean> {
    const isFirst = !this.#isBegun
    this.#isBegun = true
    const coming = this.#coming ?? this.batches.next()
    this.#coming = undefined
    this.#batch = await coming
    if (this.#batch === undefined) return false
    if (isFirst && this.after !== undefined) this.#passOver(this.#batch, this.after)
    return true
  }

  async close(): Promise<void> {
    await this.batches.close()
  }

  #passOver(batch: Batch, after: string): void {
    const first = batch.next()
    if (first !== undefined && idOf(first) !== after) batch.back()
  }
}

/** The `_id` of a document, raw or not, as EJSON. */
export function idOf(document: Document | Buffer): string {
  const { _id } = document instanceof Uint8Array ? keyIn(document) : document
  return BSON.EJSON.stringify({ _id }, { relaxed: false })
}

/** Only the `_id` of a raw document, since the rest of it may be corrupt. */
function keyIn(document: Uint8Array): Document {
  const end = document.length - 1
  const value = findField(document, 0, end, KEY)
  if (value === -1) throw new Error('The database has given a document without _id.')
  const start = value - KEY.length - 1
  const element = document.subarray(start, endOfValue(document, document[start] as number, value, end))
  const key = Buffer.alloc(4 + element.length + 1)
  key.writeInt32LE(key.length)
  key.set(element, 4)
  return BSON.deserialize(key, { promoteValues: false })
}

function idFrom(id: string): unknown {
  return BSON.EJSON.parse(id, { relaxed: false })['_id']
}

/** Leaves to the database what is surely too old; the rest is seen to later. */
function filterFor({ since }: Window): Document {
  if (since === undefined) return {}
  const field = 'meta.lastUpdated'
  const text = new Date(since.getTime() - WIDEST_OFFSET).toISOString().slice(0, 19)
  return {
    $or: [
      { [field]: { $gt: since } },
      { [field]: { $gt: text } },
      { [field]: { $not: { $type: ['date', 'string'] } } },
      { [field]: { $type: 'string', $not: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/ } },
    ],
  }
}
