import { readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { codeOf, ExportFailure } from './failure.js'
import { LOCK } from './output-folder.js'

const lockSchema = z.object({ pid: z.number().int().positive(), host: z.string() })

/**
 * Keeps a folder for this process: two that add to the same file spoil it, and two that ask from the same time on get the
 * same resources. The lock of a process of this machine that is not there any more does not count.
 *
 * @returns gives it back; never rejects for a lock that is gone
 * @throws ExportFailure `usage` when another process has it
 */
export async function lockFolder(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, LOCK)
  const own = JSON.stringify({ pid: process.pid, host: hostname() })
  for (;;) {
    try {
      await writeFile(path, own, { flag: 'wx', mode: 0o600 })
      return () => rm(path, { force: true })
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      const holder = await holderOf(path)
      if (holder !== undefined && isAlive(holder)) {
        throw new ExportFailure(
          'usage',
          `Another export works in ${directory} (process ${holder.pid} on ${holder.host}). ` +
            `Wait for its end; if it is not there any more, remove ${path}.`,
        )
      }
      await rm(path, { force: true })
    }
  }
}

type Holder = z.infer<typeof lockSchema>

/** @returns `undefined` for one that was given back, or was never written whole */
async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return lockSchema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/**
 * Of a process elsewhere nothing is known: it may be alive. One with the id of this process is not: in containers each
 * run may have the same.
 */
function isAlive({ pid, host }: Holder): boolean {
  if (host !== hostname()) return true
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}
