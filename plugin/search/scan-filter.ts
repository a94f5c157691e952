import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  DBRef,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb'
import { ExportError } from '../errors.js'
import type { ResourceType } from '../fhir/resource.js'

/** What a service's `exportQuery` gives: where the resources are that its `search` would find. */
export interface CollectionQuery {
  readonly collection: string
  readonly filter: Document
}

/** What a scan by `_id` cannot be combined with, or what the plugin does not let run in the database. */
const FOREIGN: ReadonlySet<string> = new Set([
  ...['$text', '$near', '$nearSphere', '$where', '$function', '$accumulator'],
])
/** MongoDB takes no more than 100 levels. */
const DEEPEST = 100

/**
 * Checks what `exportQuery` of a type gave, and makes the BSON values in it those of this driver: the host may have
 * another major version of `bson`, whose values this one refuses.
 *
 * @throws ExportError naming the type and what is wrong, without any value of the filter
 */
export function collectionQuery(type: ResourceType, answer: unknown): CollectionQuery {
  const { collection, filter } = (isObject(answer) ? answer : {}) as Partial<CollectionQuery>
  if (typeof collection !== 'string' || collection === '') throw wrong(type, 'names no collection')
  if (!isPlain(filter)) throw wrong(type, 'gives no filter, which has to be an object')
  return { collection, filter: remade(type, filter, 0) as Document }
}

/** The name of an operator in the filter that a scan cannot have, such as `$text`. */
export function obstacleIn(filter: unknown): string | undefined {
  if (Array.isArray(filter)) return firstFound(filter)
  if (!isPlain(filter)) return undefined
  return Object.keys(filter).find((name) => FOREIGN.has(name)) ?? firstFound(Object.values(filter))
}

function firstFound(values: readonly unknown[]): string | undefined {
  for (const value of values) {
    const found = obstacleIn(value)
    if (found !== undefined) return found
  }
  return undefined
}

function remade(type: ResourceType, value: unknown, depth: number): unknown {
  // The driver would leave a function out, and the filter would match more than it should.
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw wrong(type, `gives a filter with a ${typeof value} in it`)
  }
  if (!isObject(value)) return value
  if (depth > DEEPEST) throw wrong(type, `gives a filter with more than ${DEEPEST} levels`)
  if (value instanceof Uint8Array) return value
  // Not by `instanceof`: they may come from another realm.
  const kind = Object.prototype.toString.call(value)
  if (kind === '[object Date]') return new Date(Number(value))
  if (kind === '[object RegExp]') return new RegExp(String(value['source']), String(value['flags']))
  if (Array.isArray(value)) return value.map((item) => remade(type, item, depth + 1))
  if (typeof value['_bsontype'] === 'string') {
    try {
      return remadeBson(type, value, depth)
    } catch (cause) {
      if (cause instanceof ExportError) throw cause
      throw wrong(type, `gives a filter with a broken BSON ${value['_bsontype'].slice(0, 32)} in it`)
    }
  }
  if (typeof value['toBSON'] === 'function') return remade(type, value['toBSON'](), depth + 1)
  const entries: Iterable<[string, unknown]> = value instanceof Map ? value : Object.entries(value)
  return Object.fromEntries(Array.from(entries, ([name, item]) => [name, remade(type, item, depth + 1)]))
}

/** The fields are the same in all versions of `bson` since 1, but for what is said below. */
function remadeBson(type: ResourceType, value: ForeignBson, depth: number): unknown {
  const name = String(value['_bsontype'])
  switch (name) {
    case 'ObjectId':
    case 'ObjectID':
      return new ObjectId(value['id'] instanceof Uint8Array ? Uint8Array.from(value['id']) : String(value))
    case 'Long':
      return Long.fromBits(Number(value['low']), Number(value['high']), Boolean(value['unsigned']))
    case 'Timestamp':
      return new Timestamp({ t: Number(value['high']) >>> 0, i: Number(value['low']) >>> 0 })
    case 'Decimal128':
      return new Decimal128(Uint8Array.from(value['bytes'] as Uint8Array))
    case 'Double':
      return new Double(Number(value['value']))
    case 'Int32':
      return new Int32(Number(value['value']))
    // Version 4 has UUIDs as a type of their own.
    case 'UUID':
      return new Binary(Uint8Array.from(bytesOf(value)), Binary.SUBTYPE_UUID)
    case 'Binary':
      return new Binary(Uint8Array.from(bytesOf(value)), Number(value['sub_type']))
    case 'BSONRegExp':
      return new BSONRegExp(String(value['pattern']), String(value['options']))
    case 'Symbol':
    case 'BSONSymbol':
      return new BSONSymbol(String(value['value']))
    case 'MinKey':
      return new MinKey()
    case 'MaxKey':
      return new MaxKey()
    case 'DBRef': {
      const id = remade(type, value['oid'], depth + 1) as ObjectId
      return new DBRef(String(value['collection']), id, value['db'] as string | undefined)
    }
    default:
      throw wrong(type, `gives a filter with a BSON ${name.slice(0, 32)} in it`)
  }
}

type ForeignBson = Readonly<Record<string, unknown>>

/** A Binary may have more room than it has bytes; a UUID of version 4 has its bytes as `id` or `buffer`. */
function bytesOf(value: ForeignBson): Uint8Array {
  const bytes = (value['buffer'] ?? value['id']) as Uint8Array
  return typeof value['position'] === 'number' ? bytes.subarray(0, value['position']) : bytes
}

function isObject(value: unknown): value is ForeignBson & { toBSON?(): unknown } {
  return typeof value === 'object' && value !== null
}

function isPlain(value: unknown): value is Document {
  return (
    isObject(value) &&
    !Array.isArray(value) &&
    Object.prototype.toString.call(value) === '[object Object]' &&
    value['_bsontype'] === undefined
  )
}

function wrong(type: ResourceType, what: string): ExportError {
  return new ExportError(
    500,
    `exportQuery of the service of ${type} ${what}. Let it return { collection, filter }: the name of the collection and ` +
      'the query that its search builds.',
  )
}
