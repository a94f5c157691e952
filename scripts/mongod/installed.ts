import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { checkBinary } from './binary.js'
import type { MongodSource } from './source.js'

const run = promisify(execFile)

/** The `mongod` the user points at with `MONGOMS_SYSTEM_BINARY`; `path` is the value of that variable. */
export function systemBinary(path: string | undefined): MongodSource {
  return {
    name: 'MONGOMS_SYSTEM_BINARY',
    title: 'the mongod named by MONGOMS_SYSTEM_BINARY',
    absence: 'the variable is not set',
    async present(signal) {
      if (path === undefined) return undefined
      return await checkBinary(path, signal)
    },
  }
}

/** The `mongod` of the operating system. */
export function mongodOnPath(): MongodSource {
  return {
    name: 'PATH',
    title: 'a mongod on the PATH',
    async present(signal) {
      const path = await locate(signal)
      return path === undefined ? undefined : await checkBinary(path, signal)
    },
  }
}

/** The system's own search, since the full path is needed and the shell knows the rules of each system. */
async function locate(signal?: AbortSignal): Promise<string | undefined> {
  const [command, args] =
    process.platform === 'win32' ? ['where', ['mongod']] : ['/bin/sh', ['-c', 'command -v mongod']]
  try {
    const { stdout } = await run(command, args, signal ? { signal } : {})
    return stdout.split(/\r?\n/)[0] || undefined
  } catch {
    signal?.throwIfAborted()
    return undefined
  }
}
