import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { readSettings } from '../../config/settings.js'
import { type FakeGcs, startFakeGcs } from '../../scripts/servers/fake-gcs.js'
import { FAKE_GCS_SERVER, goProgram } from '../../scripts/servers/go-program.js'
import { createTestLogger } from '../support/logger.js'
import { openOrSkip } from '../support/real-server.js'

/** A server for the tests of a suite. What it has may be used in hooks and tests, not while suites are defined. */
export interface TestGcs {
  readonly server: FakeGcs
  readonly url: string
  /** Makes a bucket, and tells its name. */
  newBucket(): Promise<string>
  /** All files of a bucket, past the code that is tested, and so also what is half-made. */
  files(bucket: string): Promise<readonly string[]>
}

/** Call inside a `describe`: its tests get a real server, or are skipped where it cannot be had. */
export function useFakeGcs(): TestGcs {
  let started: FakeGcs | undefined
  let count = 0
  before('start fake-gcs-server', async function () {
    const { cacheDirectory } = readSettings()
    const { logger } = createTestLogger()
    started = await openOrSkip(this, async () =>
      startFakeGcs(await goProgram(FAKE_GCS_SERVER, { directory: cacheDirectory, logger })),
    )
  })
  after('stop fake-gcs-server', () => started?.stop())
  const server = () => {
    if (started === undefined) throw new Error('the server is for hooks and tests only, not for describe()')
    return started
  }
  return {
    get server() {
      return server()
    },
    get url() {
      return server().url
    },
    async newBucket() {
      count += 1
      const name = `bucket-${count}`
      await server().createBucket(name)
      return name
    },
    async files(bucket) {
      const folder = join(server().directory, bucket)
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
        .sort()
    },
  }
}
