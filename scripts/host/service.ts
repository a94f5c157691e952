import { randomUUID } from 'node:crypto'
import type { Db, Document, FindCursor, Filter as MongoFilter } from 'mongodb'
import { collectionOf, documentOf, type ResourceDocument, type StoredResource } from './collection.js'
import { VERSION } from './core.js'
import { allOf } from './element-filter.js'
import { searchQuery } from './export-query.js'
import { ensureIndexes, ensureTombstoneIndexes } from './indexes.js'
import { MOST_RANGES } from './reference-match.js'
import { invalid, refusal } from './refusal.js'
import { removeResource } from './removal.js'
import {
  baseUrl,
  pageRequest,
  type SearchRequest,
  type SearchsetBundle,
  searchset,
  sentParameters,
} from './search-page.js'

type Args = Readonly<Record<string, unknown>>

/** What the core gives a service besides the arguments. */
export interface ServiceContext {
  readonly req: SearchRequest
}

/** The service of one resource type, as the core calls it. Errors are the core's own, with their status. */
export interface HostService {
  search(args: Args, context: ServiceContext): Promise<SearchsetBundle>
  /** All that the same search finds, by id, without pages; only where it is offered. */
  searchStream?(args: Args, context: ServiceContext): AsyncIterable<StoredResource>
  /** How many references or ids one search takes in a comma list. */
  readonly commaListSize: number
  searchById(args: Args, context: ServiceContext): Promise<StoredResource>
  create(args: Args, context: ServiceContext): Promise<{ id: string; resource_version: string }>
  update(
    args: Args,
    context: ServiceContext,
  ): Promise<{ id: string; resource_version: string; created: boolean }>
  remove(args: Args, context: ServiceContext): Promise<{ deleted?: string }>
}

const RESOURCE_ID = /^[A-Za-z0-9.-]{1,64}$/
/** References to one version of a patient are found for so many at once: see `matchReference`. */
const COMMA_LIST_SIZE = MOST_RANGES / 2
/** Documents asked of the database at once. */
const STREAM_BATCH = 500
const WITHOUT_KEY = { projection: { _id: 0 } }

/**
 * The service for a type over its collection. There is one page to a query, and one query to a page.
 *
 * @param options.rootUrl public root URL of the server, without the FHIR version; default: that of each request
 * @param options.streams whether `searchStream` is offered
 * @param options.version default: the one that the example host speaks
 */
export function createService(
  db: Db,
  type: string,
  {
    rootUrl,
    streams = false,
    version = VERSION,
  }: { readonly rootUrl?: string; readonly streams?: boolean; readonly version?: string } = {},
): HostService {
  const collection = collectionOf(db, type, version)
  const indexed = once(() => ensureIndexes(db, [type], version))
  const tombstonesIndexed = once(() => ensureTombstoneIndexes(db, type, version))
  return {
    commaListSize: COMMA_LIST_SIZE,

    async search(args, { req }) {
      const parameters = sentParameters(req)
      const page = pageRequest(parameters)
      const base = baseUrl(req, version)
      const { filter } = searchQuery(type, args, req, version)
      const query = (
        page.after === undefined ? filter : allOf([{ _id: { $gt: page.after } }, filter])
      ) as MongoFilter<ResourceDocument>
      // One more than the page holds shows whether there is another. `batchSize`: all in one answer.
      const limit = page.count + 1
      const [resources, total] = await Promise.all([
        page.count === 0
          ? []
          : collection
              .find<StoredResource>(query, { ...WITHOUT_KEY, batchSize: limit, allowDiskUse: true })
              .sort({ _id: 1 })
              .limit(limit)
              .toArray(),
        page.total ? collection.countDocuments(filter as MongoFilter<ResourceDocument>) : undefined,
      ])
      return searchset(type, resources, page, {
        parameters,
        ...(base !== undefined && { base }),
        ...(total !== undefined && { total }),
      })
    },

    ...(streams && {
      searchStream: (args: Args, { req }: ServiceContext) =>
        streamOf(
          collection
            .find<StoredResource>(
              searchQuery(type, args, req, version).filter as MongoFilter<ResourceDocument>,
              {
                ...{ ...WITHOUT_KEY, batchSize: STREAM_BATCH, allowDiskUse: true },
              },
            )
            .sort({ _id: 1 }),
        ),
    }),

    async searchById({ id }) {
      const resource = await collection.findOne<StoredResource>({ _id: String(id) }, WITHOUT_KEY)
      if (resource === null) throw refusal(404, 'not-found', `There is no ${type} ${id}.`)
      return resource
    },

    async create(_args, { req }) {
      const resource = resourceIn(req, type)
      const id = randomUUID()
      const meta = { ...(resource['meta'] as object | undefined), ...written('1') }
      await indexed()
      await collection.insertOne(documentOf({ ...resource, id, meta }))
      return { id, resource_version: '1' }
    },

    async update({ id }, { req }) {
      const resource = resourceIn(req, type)
      if (typeof id !== 'string' || resource['id'] !== id) {
        throw invalid(`The id of the resource must be the one in the URL, ${id}.`)
      }
      if (!RESOURCE_ID.test(id)) throw invalid(`${id} is not an id.`)
      const meta = { ...(resource['meta'] as object | undefined), ...written('1') }
      await indexed()
      const { value, lastErrorObject } = await collection.findOneAndUpdate(
        { _id: id },
        replacement(documentOf({ ...resource, id, meta })),
        {
          upsert: true,
          returnDocument: 'after',
          projection: { 'meta.versionId': 1 },
          includeResultMetadata: true,
        },
      )
      return {
        id,
        resource_version: versionOf(value) ?? '1',
        created: lastErrorObject?.['updatedExisting'] !== true,
      }
    },

    async remove({ id }, { req }) {
      const base = rootUrl === undefined ? baseUrl(req, version) : `${rootUrl}/${version}`
      await tombstonesIndexed()
      const deleted = versionOf(await removeResource(db, type, String(id), base ?? `/${version}`))
      return deleted === undefined ? {} : { deleted }
    },
  }
}

/** While the resources of one batch are taken, the next one is on its way. */
async function* streamOf(cursor: FindCursor<StoredResource>): AsyncGenerator<StoredResource> {
  let coming: Promise<boolean> | undefined
  try {
    for (coming = cursor.hasNext(); await coming; ) {
      const batch = cursor.readBufferedDocuments()
      coming = cursor.hasNext()
      // Heard of when the batch has been taken, and never if the reader leaves before.
      coming.catch(() => undefined)
      yield* batch
    }
  } finally {
    await cursor.close()
  }
}

/** The work, done by the first call and waited for by all; done again if it has failed. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work().catch((error) => {
      done = undefined
      throw error
    })
    return done
  }
}

function resourceIn({ body }: SearchRequest, type: string): StoredResource {
  const { resourceType, meta = {} } = (body ?? {}) as { resourceType?: unknown; meta?: unknown }
  if (resourceType === undefined) throw invalid(`Send a ${type} as application/fhir+json.`)
  if (resourceType !== type) throw invalid(`The resource is not of type ${type}.`)
  if (typeof meta !== 'object' || Array.isArray(meta)) throw invalid('meta must be an object.')
  return body as StoredResource
}

function written(versionId: string): { versionId: string; lastUpdated: string } {
  return { versionId, lastUpdated: new Date().toISOString() }
}

/** Replaces a document and counts its version up, in one step of the database. */
function replacement(document: ResourceDocument): Document[] {
  const previous = { $convert: { input: '$meta.versionId', to: 'long', onError: 0, onNull: 0 } }
  const meta = {
    $mergeObjects: [{ $literal: document['meta'] }, { versionId: { $toString: { $add: [previous, 1] } } }],
  }
  return [{ $replaceWith: { $mergeObjects: [{ $literal: document }, { meta }] } }]
}

function versionOf(document: Readonly<Record<string, unknown>> | null | undefined): string | undefined {
  const { versionId } = (document?.['meta'] ?? {}) as { versionId?: unknown }
  return typeof versionId === 'string' ? versionId : undefined
}
