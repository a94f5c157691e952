import { constants, getPriority, setPriority } from 'node:os'
import { openExampleHost } from './host/example-host.js'
import { runProgram } from './host/program.js'
import { shutdownRequested } from './host/shutdown.js'
import { openMongoDB } from './mongod/index.js'

const { PRIORITY_BELOW_NORMAL } = constants.priority

// One more export worker: the services of the example host without HTTP, until it is told to stop.
await runProgram(async (settings, logger) => {
  // Whoever answers requests, and their database, come first where they share processors.
  if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL)
  if (settings.mongodbUri === undefined) {
    throw new Error('Set MONGODB_URI to the server whose exports this worker shall run.')
  }
  if (settings.exportWorkers === 0) throw new Error('EXPORT_WORKERS is 0; a worker needs at least 1.')
  const mongodb = await openMongoDB({ settings, logger })
  const host = await openExampleHost({ uri: mongodb.uri, settings, logger })
  logger.info('worker.started', { workers: settings.exportWorkers, storage: settings.exportStorage })
  try {
    await shutdownRequested(logger)
  } finally {
    await host.close()
  }
  // Node gives the largest resident set size in KiB.
  logger.info('worker.stopped', { maxRssBytes: process.resourceUsage().maxRSS * 1024 })
})
