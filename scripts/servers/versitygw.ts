import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { childEnvironment } from '../../config/child-environment.js'
import { beforeExit } from '../mongod/exit-guard.js'
import { freePort } from './free-port.js'

/** An S3 server that this process started, on 127.0.0.1, with one key that may do everything. */
export interface RunningVersitygw {
  /** The path of the program, which also has the commands for those who run the server. */
  readonly program: string
  /** Such as `http://127.0.0.1:7070`; the bucket goes into the path. */
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Where the buckets are, as folders. */
  readonly directory: string
  /** Where the attributes of objects are, by bucket. */
  readonly attributes: string
  /** Ends the server at once, as a power failure would; what it has stored stays. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same port with the same content. */
  start(): Promise<void>
  /** Ends the server and removes all it has stored. */
  stop(): Promise<void>
}

const REGION = 'us-east-1'
/** Milliseconds a server may take until it answers. */
const LAUNCH_TIMEOUT = 30_000
const POLL = 20
/** How often another port is tried, when somebody else has taken one at the moment between. */
const PORTS_TRIED = 5
const REMOVAL = { recursive: true, force: true, maxRetries: 5 } as const

/**
 * Starts versitygw on a free port, with no bucket, in a temporary folder. It ends with this process.
 *
 * @param path of the program: see `goProgram`
 * @throws Error with what the program said when it does not start
 */
export async function startVersitygw(path: string): Promise<RunningVersitygw> {
  const root = await mkdtemp(join(tmpdir(), 'bulk-export-versitygw-'))
  const credentials = {
    accessKeyId: randomBytes(8).toString('hex'),
    secretAccessKey: randomBytes(16).toString('hex'),
  }
  let child: ChildProcess | undefined
  const release = beforeExit(() => {
    child?.kill('SIGKILL')
    rmSync(root, REMOVAL)
  })
  const launch = async (port: number) => {
    child = await launchOn(port, path, root, credentials)
  }
  const kill = async () => {
    const ending = child
    child = undefined
    if (ending !== undefined) await end(ending)
  }
  const stop = async () => {
    await kill()
    await rm(root, REMOVAL)
    release()
  }
  try {
    for (const folder of ['buckets', 'attributes', 'accounts']) await mkdir(join(root, folder))
    const port = await launchSomewhere(launch)
    return {
      ...{ program: path, endpoint: `http://127.0.0.1:${port}`, region: REGION, credentials },
      ...{
        directory: join(root, 'buckets'),
        attributes: join(root, 'attributes'),
        kill,
        start: () => launch(port),
        stop,
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function launchSomewhere(launch: (port: number) => Promise<void>): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort()
    try {
      await launch(port)
      return port
    } catch (error) {
      if (tries === PORTS_TRIED || !/address already in use/.test(String(error))) throw error
    }
  }
}

/** Resolves when the server takes connections. */
async function launchOn(
  port: number,
  path: string,
  root: string,
  { accessKeyId, secretAccessKey }: RunningVersitygw['credentials'],
): Promise<ChildProcess> {
  // Attributes in files of their own, since not every disk keeps them with a file. Accounts are for tests of rights.
  const gateway = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--quiet', '--iam-cache-disable']
  const folders = ['--iam-dir', join(root, 'accounts'), 'posix', '--sidecar', join(root, 'attributes')]
  const child = spawn(path, [...gateway, ...folders, join(root, 'buckets')], {
    env: childEnvironment({ ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const note = (chunk: Buffer) => {
    output = `${output}${chunk}`.slice(-2000)
  }
  child.stdout.on('data', note)
  child.stderr.on('data', note)
  let failure: string | undefined
  child.once('error', ({ message }) => {
    failure = message
  })
  child.once('exit', (code, signal) => {
    failure = `it ended with ${signal ?? code}`
  })
  const deadline = Date.now() + LAUNCH_TIMEOUT
  while (!(await takesConnections(port))) {
    if (Date.now() > deadline) failure ??= `it did not answer within ${LAUNCH_TIMEOUT / 1000} seconds`
    if (failure !== undefined) {
      await end(child)
      throw new Error(`versitygw does not start: ${failure}. ${output.trim()}`)
    }
    await delay(POLL)
  }
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Nobody listens there yet.
    return false
  } finally {
    socket.destroy()
  }
}
