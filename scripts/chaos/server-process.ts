import { openExampleHost } from '../host/example-host.js'
import { runProgram } from '../host/program.js'
import { shutdownRequested } from '../host/shutdown.js'

/** Small files, so that there are many checkpoints to be killed between. */
const FILE_RESOURCES = 2000
/** Short, so that what a killed worker held is taken over soon. */
const LEASE = 3000

// One process of the server that is put to the test: with EXPORT_WORKERS=0 it answers HTTP, otherwise it works.
await runProgram(async (settings, logger) => {
  if (settings.mongodbUri === undefined) throw new Error('This program is started by `npm run chaos` only.')
  // Whoever started it holds the other end. Nothing comes but the end, also when that process was killed.
  process.stdin.resume().once('end', () => process.exit(1))
  const host = await openExampleHost({
    ...{ uri: settings.mongodbUri, settings, logger },
    exportOptions: { lease: LEASE, maxFileResources: FILE_RESOURCES, manifestFile: true, minPollInterval: 0 },
  })
  try {
    const base = settings.exportWorkers === 0 ? await host.listen(settings.port, settings.host) : undefined
    logger.info('process.ready', { base })
    await shutdownRequested(logger)
  } finally {
    await host.close()
  }
})
