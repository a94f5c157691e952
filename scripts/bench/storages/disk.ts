import { createWriteStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileStorage } from '../../../plugin/storage/file.js'
import type { Contest } from './contest.js'

/** Against a stream to a file, flushed to the disk as ours are. */
export async function diskContest(folder: string): Promise<Contest> {
  const root = join(folder, 'disk')
  await mkdir(root, { recursive: true })
  return {
    ...{ name: 'local disk', rival: 'createWriteStream and fsync' },
    storage: fileStorage(root),
    async upload(key, source) {
      const path = join(root, key)
      await pipeline(source, createWriteStream(path))
      const file = await open(path)
      await file.sync()
      await file.close()
    },
    close: () => rm(root, { recursive: true, force: true }),
  }
}
