import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import express from 'express'
import {
  type BulkExport,
  type BulkExportOptions,
  createBulkExport,
  type HostProfile,
  type Manifest,
} from '../../plugin/index.js'
import { type BulkClient, bulkClient } from '../../scripts/client/bulk-client.js'
import { collectionName, createHostConfig, deletedSince } from '../../scripts/host/index.js'
import { linesIn } from '../../scripts/host/ndjson-lines.js'
import { waitForDocument } from './change-stream.js'
import { createTestLogger, type LogRecord } from './logger.js'
import type { TestDatabase } from './mongodb.js'

const { initialize } = createRequire(import.meta.url)('@asymmetrik/node-fhir-server-core') as {
  initialize(config: object, app: express.Express): unknown
}

/** Any resource of a test. */
export interface TestResource {
  readonly resourceType: string
  readonly id?: string
  readonly [element: string]: unknown
}

export interface TestHostOptions {
  readonly resources?: Iterable<object>
  /** The types that the host serves; default: those of the resources. */
  readonly types?: readonly string[]
  /** Whether the example host's services stream; default: they do not. */
  readonly streams?: boolean
  /** Profiles in the place of the example host's, by type. */
  readonly profiles?: Readonly<Record<string, HostProfile>>
  readonly options?: Partial<BulkExportOptions>
  /** FHIR versions that the host serves, the first of which `resources`, `base` and `client` are of; default: 4_0_0. */
  readonly versions?: readonly string[]
  /** Whether the example host's services offer `exportQuery`, so that exports scan; default: they do not. */
  readonly queries?: boolean
  /** Middleware that runs before the router of the plugin. */
  readonly before?: express.RequestHandler
}

/** A real host with the plugin on a test's own database and folder, over HTTP. */
export interface TestHost {
  readonly base: string
  readonly client: BulkClient
  readonly bulkExport: BulkExport
  /** The folder of the output files. */
  readonly folder: string
  readonly log: readonly LogRecord[]
  /** Waits without polling until the job has ended. */
  ended(statusUrl: string): Promise<'completed' | 'failed'>
  /** Waits for the end of an export and gives its manifest. */
  manifest(statusUrl: string): Promise<Manifest>
  /** All resources of the output files, in their order, by type. */
  resources(manifest: Manifest): Promise<ReadonlyMap<string, readonly TestResource[]>>
  close(): Promise<void>
}

/** Starts a host; whoever does so closes it. */
export async function startHost(database: TestDatabase, options: TestHostOptions = {}): Promise<TestHost> {
  const { db } = database
  const { versions = ['4_0_0'], streams = false, queries = false } = options
  const [version = '4_0_0'] = versions
  const stored = await store(database, options.resources ?? [], version)
  const types = new Set([...(options.types ?? []), ...stored])
  const { profiles, ...rest } = createHostConfig({ db, streams, queries, versions })
  const served = Object.fromEntries([...types].map((type) => [type, profiles[type] as HostProfile]))
  const folder = await mkdtemp(join(tmpdir(), 'bulk-export-test-'))
  const { logger, records } = createTestLogger()
  const bulkExport = createBulkExport({
    config: { ...rest, profiles: { ...served, ...options.profiles } },
    mongodb: { uri: database.uri },
    storage: pathToFileURL(folder).href,
    ...{ logger, writeGrace: 0, lease: 1500 },
    deletedSince: deletedSince(db),
    // Tests of kick-offs leave theirs lying.
    maxRunningExports: 10_000,
    withoutWorkers: 'wait',
    ...options.options,
  })
  const app = express()
  if (options.before) app.use(options.before)
  app.use(bulkExport.router)
  initialize(bulkExport.config, app)
  await bulkExport.start()
  const server: Server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${version}`
  const client = bulkClient(base)
  const host: TestHost = {
    ...{ base, client, bulkExport, folder, log: records },
    async ended(statusUrl) {
      const id = statusUrl.split('/').at(-1)
      const { status } = await waitForDocument(
        db.collection<{ _id: string; status: string }>('bulkexport.jobs'),
        (job) => job._id === id && (job.status === 'completed' || job.status === 'failed'),
        { timeoutMs: 25_000 },
      )
      return status as 'completed' | 'failed'
    },
    async manifest(statusUrl) {
      await host.ended(statusUrl)
      const status = await client.status(statusUrl)
      if (status.state !== 'complete') throw new Error(`The export is not complete: ${status.progress}`)
      return status.manifest
    },
    async resources({ output }) {
      const found = new Map<string, TestResource[]>()
      for (const { type, url } of output) {
        const resources = found.get(type) ?? []
        for await (const { text } of linesIn(await client.download(url))) resources.push(JSON.parse(text))
        found.set(type, resources)
      }
      return found
    },
    async close() {
      await bulkExport.stop()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
  return host
}

/** Stores resources as the example host does; gives their types. */
export async function store(
  { db }: TestDatabase,
  resources: Iterable<object>,
  version = '4_0_0',
): Promise<ReadonlySet<string>> {
  const byType = new Map<string, TestResource[]>()
  for (const resource of resources as Iterable<TestResource>) {
    byType.set(resource.resourceType, [...(byType.get(resource.resourceType) ?? []), resource])
  }
  for (const [type, documents] of byType) {
    const collection = db.collection<{ _id: string }>(collectionName(type, version))
    await collection.insertMany(documents.map((document) => ({ ...document, _id: document.id as string })))
  }
  return new Set(byType.keys())
}

/** Gives each test of a `describe` a host of its own on a database of its own. */
export function useHost(database: TestDatabase, options: () => TestHostOptions): { readonly host: TestHost } {
  let current: TestHost | undefined
  beforeEach('start a host', async () => {
    current = await startHost(database, options())
  })
  afterEach('close the host', async () => {
    await current?.close()
    current = undefined
  })
  return {
    get host() {
      if (current === undefined) throw new Error('useHost() gives a host to hooks and tests only')
      return current
    },
  }
}
