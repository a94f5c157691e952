import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { BulkExportOptions } from '../../plugin/index.js'
import { openExampleHost } from '../host/example-host.js'
import { runProgram } from '../host/program.js'
import { shutdownRequested } from '../host/shutdown.js'

/** How exactly delays are measured, in ms; each reading has this much in it that is no delay. */
const RESOLUTION = 5

// The API process of `npm run bench`: the example host by HTTP, with options of the plugin as its argument, in JSON.
await runProgram(async (settings, logger) => {
  if (settings.mongodbUri === undefined) throw new Error('This program is started by `npm run bench` only.')
  const exportOptions = JSON.parse(process.argv[2] ?? '{}') as Partial<BulkExportOptions>
  const host = await openExampleHost({ uri: settings.mongodbUri, settings, logger, exportOptions })
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION })
  try {
    const base = await host.listen(0, '127.0.0.1')
    delays.enable()
    logger.info('api.ready', { base })
    await shutdownRequested(logger)
  } finally {
    delays.disable()
    await host.close()
  }
  const inMs = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION)
  logger.info('api.stopped', { delayP99: inMs(delays.percentile(99)), delayMax: inMs(delays.max) })
})
