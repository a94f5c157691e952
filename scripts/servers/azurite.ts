import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { childEnvironment } from '../../config/child-environment.js'
import { beforeExit } from '../mongod/exit-guard.js'

const PROGRAM = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js')
const ACCOUNT = 'bulkexport'
/** How long it may take to start or to stop, in ms. */
const PATIENCE = 30_000

export interface AzuriteOptions {
  /** Speaks HTTPS, and takes access tokens too, whoever signed them. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
}

/** A running emulator of Azure Blob Storage, with one account and no container. */
export interface Azurite {
  readonly account: string
  /** Base64, made anew for each server. */
  readonly accountKey: string
  /** The URL of the account. */
  readonly url: string
  readonly connectionString: string
  /** Ends it, and starts it on the same port with the same content. */
  restart(): Promise<void>
  /** Ends it and removes its content. A second call does nothing. */
  stop(): Promise<void>
}

/** Starts Azurite on a free port of 127.0.0.1, with its content in a temporary folder; it ends with this process. */
export async function startAzurite({ tls }: AzuriteOptions = {}): Promise<Azurite> {
  const directory = await mkdtemp(join(tmpdir(), 'bulk-export-azurite-'))
  const accountKey = randomBytes(64).toString('base64')
  const environment = childEnvironment({ AZURITE_ACCOUNTS: `${ACCOUNT}:${accountKey}` })
  const flags = ['--location', directory, '--silent', '--skipApiVersionCheck', '--disableTelemetry']
  if (tls) flags.push('--oauth', 'basic', '--cert', tls.certFile, '--key', tls.keyFile)

  let server: ChildProcess | undefined
  const launch = async (port: string) => {
    server = spawn(process.execPath, [PROGRAM, ...flags, '--blobHost', '127.0.0.1', '--blobPort', port], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new URL(await addressOf(server))
  }
  const release = beforeExit(() => {
    server?.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const stop = async () => {
    await end(server)
    await rm(directory, { recursive: true, force: true })
    release()
  }

  try {
    const address = await launch('0')
    const url = `${address.origin}/${ACCOUNT}`
    let stopped: Promise<void> | undefined
    return {
      account: ACCOUNT,
      accountKey,
      url,
      connectionString:
        `DefaultEndpointsProtocol=${address.protocol.slice(0, -1)};AccountName=${ACCOUNT};` +
        `AccountKey=${accountKey};BlobEndpoint=${url};`,
      async restart() {
        await end(server)
        await launch(address.port)
      },
      stop: () => {
        stopped ??= stop()
        return stopped
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What it listens on, as it says when it does. */
async function addressOf(server: ChildProcess): Promise<string> {
  const heard: string[] = []
  return new Promise((resolve, reject) => {
    const fail = (reason: string) =>
      reject(new Error(`Azurite did not start: ${[reason, ...heard].join('\n')}`))
    const timer = setTimeout(() => fail(`nothing within ${PATIENCE} ms`), PATIENCE)
    const onLine = (line: string) => {
      heard.push(line)
      const address = /successfully listens on (\S+)/.exec(line)?.[1]
      if (address === undefined) return
      clearTimeout(timer)
      resolve(address)
    }
    for (const input of [server.stdout, server.stderr]) {
      if (input !== null) createInterface({ input }).on('line', onLine)
    }
    server.once('exit', (code, signal) => {
      clearTimeout(timer)
      fail(`it ended with ${signal ?? code}`)
    })
  })
}

/** In order, so that it keeps its content; by force when that takes too long. */
async function end(server: ChildProcess | undefined): Promise<void> {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  const timer = setTimeout(() => server.kill('SIGKILL'), PATIENCE)
  server.kill('SIGTERM')
  await exited
  clearTimeout(timer)
}
