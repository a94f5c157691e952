import type { Logger } from 'winston'

/**
 * Resolves with the first of SIGINT and SIGTERM. A second one ends the process at once, for whoever cannot
 * wait.
 */
export function shutdownRequested(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        logger.info('process.stopping', { signal })
        resolve(signal)
        process.once(signal, () => process.exit(130))
      })
    }
  })
}
