import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A `mongod` that runs on this machine: it has answered `--version`. */
export interface MongodBinary {
  readonly path: string
  /** Such as `6.0.5`. */
  readonly version: string
}

/** How long a `mongod` may take to say its version, in milliseconds; the first start reads 150 MB from disk. */
const VERSION_TIMEOUT = 20_000

/**
 * Runs `path --version`: the only proof that a file is whole, is for this processor and finds its libraries.
 * @throws Error with what the system or the program said
 */
export async function checkBinary(path: string, signal?: AbortSignal): Promise<MongodBinary> {
  const { stdout } = await run(path, ['--version'], {
    timeout: VERSION_TIMEOUT,
    ...(signal && { signal }),
  }).catch((error: Error & { stderr?: string }) => {
    signal?.throwIfAborted()
    throw new Error(`${path} does not run: ${error.stderr?.trim() || error.message}`, { cause: error })
  })
  const version = /^db version v?(\d+\.\d+\.\d+)/m.exec(stdout)?.[1]
  if (!version) throw new Error(`${path} is no mongod: it does not tell a version`)
  return { path, version }
}
