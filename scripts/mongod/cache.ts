import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { checkBinary, type MongodBinary } from './binary.js'

/** A staging folder this old, in milliseconds, was left by a process that was killed. */
const STALE_AFTER = 24 * 60 * 60 * 1000
const STAGING_PREFIX = '.staging-'

/**
 * The place of one downloaded `mongod`. A file gets there only by a rename within the folder, after it has run:
 * what is half downloaded, or being downloaded by two processes at once, never has the final name.
 */
export class BinaryCache {
  readonly path: string

  /** @param name tells versions and sources apart, such as `download-8.2.6` */
  constructor(
    private readonly directory: string,
    name: string,
  ) {
    const suffix = process.platform === 'win32' ? '.exe' : ''
    this.path = join(directory, `mongod-${name}-${process.platform}-${process.arch}${suffix}`)
  }

  /** The kept binary. `undefined`: there is none. Rejects when there is one that does not run. */
  async present(signal?: AbortSignal): Promise<MongodBinary | undefined> {
    const found = await stat(this.path).catch(() => undefined)
    return found ? await checkBinary(this.path, signal) : undefined
  }

  /**
   * Keeps the binary that `produce` makes somewhere in the staging folder it is given. The folder is removed
   * afterwards, whatever happens. If two processes do this at once, both get a whole file and one of them stays.
   */
  async keep(
    produce: (stagingDirectory: string) => Promise<string>,
    signal?: AbortSignal,
  ): Promise<MongodBinary> {
    await mkdir(this.directory, { recursive: true })
    await this.removeStale()
    const staging = await mkdtemp(join(this.directory, STAGING_PREFIX))
    try {
      const produced = await produce(staging)
      await checkBinary(produced, signal)
      await rename(produced, this.path).catch(async (error: unknown) => {
        // Windows does not replace a program that runs; then another process has just put one there.
        if (!(await this.present(signal))) throw error
      })
      return await checkBinary(this.path, signal)
    } finally {
      await rm(staging, { recursive: true, force: true })
    }
  }

  private async removeStale(): Promise<void> {
    const names = (await readdir(this.directory)).filter((name) => name.startsWith(STAGING_PREFIX))
    for (const name of names) {
      const path = join(this.directory, name)
      const found = await stat(path).catch(() => undefined)
      if (found && Date.now() - found.mtimeMs > STALE_AFTER) await rm(path, { recursive: true, force: true })
    }
  }
}
