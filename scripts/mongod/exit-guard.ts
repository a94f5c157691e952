const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const pending = new Set<() => void>()

/**
 * Runs `cleanUp` when this process ends in any way that lets it still do something: a normal end, `process.exit`,
 * an exception nobody caught, or a signal that nobody else listens to (which then ends the process, as it would
 * have done by itself). A program that handles signals is left to do so: it ends in one of the other ways.
 * @param cleanUp has to be synchronous
 * @returns takes the guard away
 */
export function beforeExit(cleanUp: () => void): () => void {
  if (pending.size === 0) listen('on')
  pending.add(cleanUp)
  return () => {
    if (pending.delete(cleanUp) && pending.size === 0) listen('off')
  }
}

function listen(change: 'on' | 'off'): void {
  process[change]('exit', cleanUpAll)
  for (const signal of SIGNALS) process[change](signal, onSignal)
}

function cleanUpAll(): void {
  for (const cleanUp of pending) cleanUp()
  pending.clear()
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  cleanUpAll()
  listen('off')
  process.kill(process.pid, signal)
}
