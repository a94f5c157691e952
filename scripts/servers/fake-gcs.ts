import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeExit } from '../mongod/exit-guard.js'
import { freePort } from './free-port.js'

/** A `fake-gcs-server` this process started. It takes every request, whoever sends it. */
export interface FakeGcs {
  /** Such as `http://127.0.0.1:4443`: the `apiEndpoint`, and what its links and upload sessions lead to. */
  readonly url: string
  /** Has a folder for each bucket, with a file for each object. */
  readonly directory: string
  createBucket(name: string): Promise<void>
  /** Removes a bucket with all that is in it. */
  removeBucket(name: string): Promise<void>
  /** Ends the server at once, as a power failure would; upload sessions are lost, objects stay. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same port and folder. */
  restart(): Promise<void>
  /** Ends the server and removes its folder. */
  stop(): Promise<void>
}

/** Milliseconds the server may take to answer; it takes some 50. */
const START_TIMEOUT = 20_000
const POLL_EVERY = 20
/** A free port may be taken by somebody else before the server has it. */
const TRIES = 5
const KEPT_LOG = 2000

/**
 * Starts the program at `path` on a free port of 127.0.0.1, without a bucket. It ends with this process in all ways
 * that `beforeExit` covers.
 *
 * @throws Error with what the server said when it does not start
 */
export async function startFakeGcs(path: string): Promise<FakeGcs> {
  const directory = await mkdtemp(join(tmpdir(), 'bulk-export-fake-gcs-'))
  let server: ChildProcess | undefined
  const kill = async () => {
    if (server !== undefined) await end(server)
    server = undefined
  }
  const release = beforeExit(() => {
    server?.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const stop = async () => {
    await kill()
    await rm(directory, { recursive: true, force: true })
    release()
  }
  try {
    for (let turn = 1; ; turn += 1) {
      const port = await freePort()
      try {
        server = await launch(path, port, directory)
        return { ...controls(port), directory, kill, stop, restart }
        async function restart() {
          server ??= await launch(path, port, directory)
        }
      } catch (error) {
        if (turn === TRIES) throw error
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function controls(port: number): Pick<FakeGcs, 'url' | 'createBucket' | 'removeBucket'> {
  const url = `http://127.0.0.1:${port}`
  const ask = async (path: string, options: RequestInit) => {
    const answer = await fetch(`${url}/storage/v1/b${path}`, options)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`fake-gcs-server answered ${answer.status}: ${text}`)
    return text
  }
  return {
    url,
    async createBucket(name) {
      const headers = { 'content-type': 'application/json' }
      await ask('', { method: 'POST', headers, body: JSON.stringify({ name }) })
    },
    async removeBucket(name) {
      const { items = [] } = JSON.parse(await ask(`/${name}/o`, {})) as { items?: { name: string }[] }
      for (const item of items) await ask(`/${name}/o/${encodeURIComponent(item.name)}`, { method: 'DELETE' })
      await ask(`/${name}`, { method: 'DELETE' })
    },
  }
}

async function launch(path: string, port: number, directory: string): Promise<ChildProcess> {
  const host = `127.0.0.1:${port}`
  const server = spawn(
    path,
    [
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-filesystem-root', directory],
      // Without these, links lead to Google, and plain GETs of signed URLs find nothing.
      ...['-external-url', `http://${host}`, '-public-host', host, '-log-level', 'error'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-KEPT_LOG)
  })
  let failure: Error | undefined
  server.once('error', (error) => {
    failure = error
  })
  for (const deadline = Date.now() + START_TIMEOUT; ; await pause(POLL_EVERY)) {
    if (failure !== undefined) throw failure
    if (server.exitCode !== null || server.signalCode !== null) break
    if (await answers(host)) return server
    if (Date.now() > deadline) break
  }
  await end(server)
  throw new Error(`fake-gcs-server did not start: ${log.trim() || `no answer after ${START_TIMEOUT} ms`}`)
}

/** Refused: not yet there. */
async function answers(host: string): Promise<boolean> {
  try {
    return (await fetch(`http://${host}/_internal/healthcheck`)).ok
  } catch {
    return false
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}
