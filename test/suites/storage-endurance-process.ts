import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How another process opens a storage: `(await import(module))[factory](argument)`. */
export interface StorageRecipe {
  /** URL of the module. */
  readonly module: string
  /** The name under which the module exports the function that makes the storage. */
  readonly factory: string
  /** What the function is called with; it has to survive JSON. */
  readonly argument: unknown
}

/** What the other process is told to do. */
export interface Order {
  readonly recipe: StorageRecipe
  readonly key: string
  /** `measure` writes so many bytes and reads them back; `upload` tells when so many are taken, and goes on. */
  readonly task: 'measure' | 'upload'
  readonly bytes: number
}

/** What writing and reading cost, in bytes of memory. */
export interface Measurement {
  readonly before: number
  readonly peak: number
  readonly written: string
  readonly found: string
}

/** What the other process answers. */
export type Answer = { readonly error: string } | { readonly done: true } | Measurement

/** Extension and flags are those of this process: TypeScript where tests run as TypeScript. */
const PROGRAM = fileURLToPath(
  new URL(`storage-endurance-program${extname(import.meta.url)}`, import.meta.url),
)

/** Writes and reads in a process of its own, so that its memory is that of the storage alone. */
export async function measureElsewhere(order: Omit<Order, 'task'>): Promise<Measurement> {
  const child = start({ ...order, task: 'measure' })
  try {
    const answer = await answerOf(child)
    if ('peak' in answer) return answer
    throw new Error(`not measured: ${JSON.stringify(answer)}`)
  } finally {
    await kill(child)
  }
}

/** Ends a process in the middle of a write, as a power failure would. */
export async function killInUpload(order: Omit<Order, 'task'>): Promise<void> {
  const child = start({ ...order, task: 'upload' })
  try {
    const answer = await answerOf(child)
    if ('error' in answer) throw new Error(answer.error)
  } finally {
    await kill(child)
  }
}

function start(order: Order): ChildProcess {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  child.send(order)
  return child
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const listening = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', listening).then(([answer]) => answer as Answer),
      once(child, 'exit', listening).then(([code, signal]) => {
        throw new Error(`the process that writes ended: ${signal ?? code}`)
      }),
    ])
  } finally {
    listening.abort()
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
