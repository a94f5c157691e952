import { createHook } from 'node:async_hooks'

/**
 * Loaded only by hand, with `--require`, when the leak check has failed: remembers for each timer, server,
 * connection and child process where it was made, and prints those that are left when the process ends. Slows
 * tests down, so it is not loaded otherwise.
 */
const KINDS = new Set([
  'Timeout',
  'Immediate',
  'TCPSERVERWRAP',
  'TCPWRAP',
  'PROCESSWRAP',
  'FSEVENTWRAP',
  'WORKER',
])

interface Origin {
  readonly kind: string
  readonly resource: WeakRef<object>
  readonly at: Error
}

const origins = new Map<number, Origin>()

createHook({
  init(id, kind, _trigger, resource) {
    if (KINDS.has(kind)) origins.set(id, { kind, resource: new WeakRef(resource), at: new Error(kind) })
  },
  destroy(id) {
    origins.delete(id)
  },
}).enable()

process.on('exit', () => {
  for (const { kind, resource, at } of origins.values()) {
    const alive = resource.deref() as { hasRef?: () => boolean } | undefined
    if (alive?.hasRef?.() === false || !alive) continue
    const lines = at.stack?.split('\n').filter((line) => !/node:internal|leak-origins/.test(line)) ?? []
    console.error([`Left: ${kind}`, ...lines.slice(1)].join('\n'))
  }
})
