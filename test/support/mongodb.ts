import { randomBytes } from 'node:crypto'
import { type Db, MongoClient } from 'mongodb'
import { createLogger } from '../../config/logger.js'
import { readSettings } from '../../config/settings.js'
import { type OpenMongoDB, openMongoDB } from '../../scripts/mongod/index.js'

/** The database of the test that runs now. The fields may be read in hooks and tests, not while suites are defined. */
export interface TestDatabase {
  /** Connection string that names the database; for code that connects by itself. */
  readonly uri: string
  readonly name: string
  /** On a client all tests share: do not close it. */
  readonly db: Db
}

interface TestServer {
  readonly mongodb: OpenMongoDB
  readonly client: MongoClient
}

/** Milliseconds the first use may take: it may include a download. */
const START_TIMEOUT = 600_000

const RUN = randomBytes(4).toString('hex')
let databaseCount = 0
let server: Promise<TestServer> | undefined
let openDatabases: TestDatabase[] = []
const suiteDatabases: { readonly database: TestDatabase; readonly suite: Mocha.Suite | undefined }[] = []

/**
 * Call inside a `describe`, above its hooks: gives each of its tests a database of its own on a real replica set.
 * The server starts with the first test that needs it and serves the whole run. After a test and all its
 * `afterEach` hooks the database is dropped, except when the test failed: then it is kept and its name printed.
 */
export function useDatabase(): TestDatabase {
  let current: TestDatabase | undefined
  before('start MongoDB', async function () {
    this.timeout(START_TIMEOUT)
    await testServer()
  })
  beforeEach('open a database', async () => {
    current = await openDatabase()
    openDatabases.push(current)
  })
  return databaseOf(() => current)
}

/**
 * The same with one database for all tests of a `describe`, for tests that do not disturb each other. It is dropped
 * at the end of the run, except when one of them failed.
 */
export function useSuiteDatabase(): TestDatabase {
  let current: TestDatabase | undefined
  before('open a database', async function () {
    this.timeout(START_TIMEOUT)
    current = await openDatabase()
    suiteDatabases.push({ database: current, suite: this.test?.parent })
  })
  return databaseOf(() => current)
}

async function openDatabase(): Promise<TestDatabase> {
  const { mongodb, client } = await testServer()
  databaseCount += 1
  const name = `bulk_export_test_${RUN}_${databaseCount}`
  return { name, uri: uriWithDatabase(mongodb.uri, name), db: client.db(name) }
}

function databaseOf(current: () => TestDatabase | undefined): TestDatabase {
  const opened = (): TestDatabase => {
    const database = current()
    if (!database) throw new Error('a database is for hooks and tests only, not for describe()')
    return database
  }
  return {
    get uri() {
      return opened().uri
    },
    get name() {
      return opened().name
    },
    get db() {
      return opened().db
    },
  }
}

/** For the root `afterEach` hook, which runs after all others. */
export async function settleDatabases(test: {
  readonly title: string
  readonly failed: boolean
}): Promise<void> {
  const databases = openDatabases
  openDatabases = []
  for (const { db, name } of databases) {
    if (test.failed) console.error(await keptNote(name, test.title))
    else await db.dropDatabase()
  }
}

/** For the end of the run. */
export async function stopTestServer(): Promise<void> {
  if (!server) return
  const { mongodb, client } = await server.catch(() => ({ mongodb: undefined, client: undefined }))
  for (const { database, suite } of suiteDatabases) {
    if (hasFailed(suite)) console.error(await keptNote(database.name, suite?.fullTitle() ?? ''))
    else await database.db.dropDatabase()
  }
  await client?.close()
  await mongodb?.stop()
}

function hasFailed(suite: Mocha.Suite | undefined): boolean {
  let failed = false
  suite?.eachTest((test) => {
    failed ||= test.isFailed()
  })
  return failed
}

async function keptNote(name: string, title: string): Promise<string> {
  const { mongodb } = await testServer()
  const where =
    mongodb.source === 'MONGODB_URI'
      ? `look at it with: mongosh "$MONGODB_URI", use ${name}`
      : 'it is gone when this run ends, since the server is; set MONGODB_URI to a replica set to keep it'
  return `      database ${name} of "${title}" was kept; ${where}`
}

function testServer(): Promise<TestServer> {
  server ??= startTestServer()
  return server
}

async function startTestServer(): Promise<TestServer> {
  const settings = readSettings()
  const logger = createLogger({ logLevel: settings.logLevel === 'info' ? 'warn' : settings.logLevel })
  const mongodb = await openMongoDB({ settings, logger })
  if (!mongodb.replicaSet) {
    throw new Error('The tests need a replica set, and MONGODB_URI names a standalone server.')
  }
  return { mongodb, client: new MongoClient(mongodb.uri) }
}

/**
 * `uri` with another database in its path. The path is also where users log in unless `authSource` says where, so
 * that has to be said when the path changes.
 */
export function uriWithDatabase(uri: string, name: string): string {
  const match = /^([a-z+]+:\/\/)(.*@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(uri)
  if (!match) throw new Error('not a connection string')
  const [, scheme, user = '', hosts, database, query] = match
  const parameters = new URLSearchParams(query)
  if (user && !parameters.has('authSource')) parameters.set('authSource', database || 'admin')
  const search = parameters.size > 0 ? `?${parameters}` : ''
  return `${scheme}${user}${hosts}/${name}${search}`
}
