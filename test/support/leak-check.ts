import { ChildProcess } from 'node:child_process'
import { Server, Socket } from 'node:net'

/** Milliseconds the event loop has to empty after the last test; connections that are closing need a moment. */
const GRACE = 3_000

/**
 * Makes the process fail if something still keeps it alive a while after the last test: a server nobody closed, a
 * timer, a worker. The check itself keeps nothing alive, so that a clean run ends at once.
 */
export function failOnLeak(): void {
  setTimeout(() => {
    console.error(describeLeak())
    // Mocha sets the exit code in a listener of its own, which ran before this one was added.
    process.on('exit', () => {
      process.exitCode = 1
    })
    process.exit(1)
  }, GRACE).unref()
}

function describeLeak(): string {
  const handles = activeHandles().filter((handle) => !isStandardStream(handle))
  return [
    '',
    `Leak: the tests are over, but ${GRACE / 1000} seconds later the process is still kept alive.`,
    `Active: ${process.getActiveResourcesInfo().join(', ')}`,
    ...handles.map((handle) => `  - ${describeHandle(handle)}`),
    'What a test opens, the test or its hooks close. To see where each was made, run the same tests with',
    '  npx mocha --require test/support/leak-origins.ts …',
    '',
  ].join('\n')
}

/** Not documented, but the only way to tell which port or which program it is; nothing depends on it. */
function activeHandles(): readonly unknown[] {
  const { _getActiveHandles: list } = process as unknown as { _getActiveHandles?: () => unknown[] }
  return list?.call(process) ?? []
}

function isStandardStream(handle: unknown): boolean {
  return handle === process.stdin || handle === process.stdout || handle === process.stderr
}

function describeHandle(handle: unknown): string {
  if (handle instanceof Server) return `server that listens on ${JSON.stringify(handle.address())}`
  if (handle instanceof ChildProcess) return `child process ${handle.pid}: ${handle.spawnargs.join(' ')}`
  if (handle instanceof Socket) {
    const { localPort, remoteAddress, remotePort } = handle
    return remotePort === undefined
      ? 'pipe or closed connection'
      : `connection from port ${localPort} to ${remoteAddress}:${remotePort}`
  }
  return (handle as object | null)?.constructor?.name ?? String(handle)
}
