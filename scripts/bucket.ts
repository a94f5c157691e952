import { storageEnvironment } from '../config/storage-environment.js'
import { ensureBucket } from './host/bucket.js'
import { runProgram } from './host/program.js'

// Makes the bucket or container that EXPORT_STORAGE names, where an emulator does not have it yet.
await runProgram(async ({ exportStorage }, logger) => {
  await ensureBucket(exportStorage, storageEnvironment())
  logger.info('bucket.ready', { storage: exportStorage })
})
