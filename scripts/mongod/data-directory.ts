import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

/** The host's name is in it because process ids mean nothing on another one, such as a container that shares `/tmp`. */
const PREFIX = `bulk-export-mongod-${hostname()}-`

/** A folder younger than this, in milliseconds, may belong to a server that is being started or stopped. */
const SETTLED_AFTER = 60_000

/** How to remove such a folder: `mongod` may still write to it for a moment after it was killed. */
export const removal = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 } as const

/**
 * An empty folder for the data of one server. Takes the opportunity to remove folders of servers that are gone:
 * 300 MB each, left behind when a process was killed before it could tidy up.
 */
export async function createDataDirectory(): Promise<string> {
  const parent = tmpdir()
  for (const name of await readdir(parent)) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(parent, name)
    if (await isAbandoned(path)) await rm(path, removal)
  }
  return await mkdtemp(join(parent, PREFIX))
}

/** `mongod` keeps its process id in `mongod.lock` while it runs and empties the file when it ends in order. */
async function isAbandoned(path: string): Promise<boolean> {
  const lock = join(path, 'mongod.lock')
  try {
    if (Date.now() - (await stat(lock)).mtimeMs < SETTLED_AFTER) return false
    const pid = (await readFile(lock, 'utf8')).trim()
    return pid === '' || !isRunning(Number(pid))
  } catch {
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
