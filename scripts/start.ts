import { openExampleHost } from './host/example-host.js'
import { runProgram } from './host/program.js'
import { shutdownRequested } from './host/shutdown.js'
import { openMongoDB } from './mongod/index.js'

// The example host: a FHIR server with the export plugin, until it is told to stop.
await runProgram(async (settings, logger) => {
  const mongodb = await openMongoDB({ settings, logger })
  try {
    const host = await openExampleHost({ uri: mongodb.uri, settings, logger })
    try {
      const base = await host.listen(settings.port, settings.host)
      logger.info('host.listening', {
        base,
        storage: settings.exportStorage,
        workers: settings.exportWorkers,
      })
      await shutdownRequested(logger)
    } finally {
      await host.close()
    }
  } finally {
    await mongodb.stop()
  }
})
