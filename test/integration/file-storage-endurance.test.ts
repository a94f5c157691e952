import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileStorage } from '../../plugin/storage/file.js'
import { storageEnduranceSuite } from '../suites/storage-endurance-suite.js'

let directory: string

storageEnduranceSuite('the local disk', {
  async open() {
    directory = await mkdtemp(join(tmpdir(), 'bulk-export-endurance-'))
    return fileStorage(directory)
  },
  close: () => rm(directory, { recursive: true, force: true }),
  recipe: () => ({
    module: new URL('../../plugin/storage/file.ts', import.meta.url).href,
    factory: 'fileStorage',
    argument: directory,
  }),
  async everything() {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
  },
})
