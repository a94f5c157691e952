import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Logger } from 'winston'
import { childEnvironment } from '../../config/child-environment.js'

const run = promisify(execFile)

/** A folder in which a program is built has such a name; one this old, in ms, was left by a process that was killed. */
const STAGING_PREFIX = '.staging-'
const STALE_AFTER = 24 * 60 * 60 * 1000

/** A program that its makers publish as Go source only. */
export interface GoProgram {
  /** As the program is called on the PATH. */
  readonly name: string
  /** The import path of the package that has its `main`. */
  readonly package: string
  /** Such as `v1.8.0`. */
  readonly version: string
}

/** An S3 server that keeps objects as files. */
export const VERSITYGW: GoProgram = {
  name: 'versitygw',
  package: 'github.com/versity/versitygw/cmd/versitygw',
  version: 'v1.8.0',
}

/** A server that speaks the JSON API of Google Cloud Storage. */
export const FAKE_GCS_SERVER: GoProgram = {
  name: 'fake-gcs-server',
  package: 'github.com/fsouza/fake-gcs-server',
  version: 'v1.56.1',
}

/** A program is neither on this machine nor can it be built here; the message names the ways to get it. */
export class ProgramNotFoundError extends Error {
  override readonly name = 'ProgramNotFoundError'
}

export interface GoProgramOptions {
  /** Where built programs are kept between runs: `cacheDirectory` of the settings. */
  readonly directory: string
  readonly logger: Logger
  readonly signal?: AbortSignal
}

/**
 * The path of a program: the one on the PATH, of whatever version; else the one built earlier; else it is built
 * now, which takes a minute or two and needs Go and a Go module proxy. Processes that build the same program at
 * once do not disturb each other.
 *
 * @throws ProgramNotFoundError when it cannot be had
 * @throws the signal's reason, as soon as it is aborted
 */
export async function goProgram(program: GoProgram, options: GoProgramOptions): Promise<string> {
  const { directory, logger, signal } = options
  const onPath = await locate(program.name, signal)
  if (onPath !== undefined) return onPath
  const { name, version } = program
  const file = process.platform === 'win32' ? `${name}.exe` : name
  const parent = join(directory, 'go-programs')
  const folder = join(parent, `${name}-${version}-${process.platform}-${process.arch}`)
  const path = join(folder, file)
  if (await isFile(path)) return path
  const go = await locate('go', signal)
  if (go === undefined) throw new ProgramNotFoundError(explain(program, 'there is no Go on the PATH'))
  logger.info('program.build', { program: name, package: program.package, version })
  await mkdir(parent, { recursive: true })
  await removeStale(parent)
  const staging = await mkdtemp(join(parent, STAGING_PREFIX))
  try {
    await install(go, program, staging, signal)
    // Other users may run it too.
    await chmod(staging, 0o755)
    // Only a whole folder gets the name. When another process was first, its folder is as good.
    await rename(staging, folder).catch(async (error: unknown) => {
      if (!(await isFile(path))) throw error
    })
    logger.info('program.built', { program: name, path })
    return path
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function install(
  go: string,
  program: GoProgram,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await run(go, ['install', `${program.package}@${program.version}`], {
      // Go refuses to install a program for another system when it is told where to.
      env: childEnvironment({ GOBIN: directory, GOOS: '', GOARCH: '' }),
      ...(signal && { signal }),
    })
  } catch (cause) {
    signal?.throwIfAborted()
    const { stderr, message } = cause as Error & { stderr?: string }
    const said = stderr?.trim().split('\n').at(-1) || message
    const reason = said.trim().replace(/\.$/, '')
    throw new ProgramNotFoundError(explain(program, `\`go install\` failed: ${reason}`), { cause })
  }
}

function explain({ name, package: source, version }: GoProgram, reason: string): string {
  return [
    `${name} is not on the PATH, and could not be built: ${reason}.`,
    `Put a ${name} on the PATH, or have Go there (https://go.dev/dl) and a Go module proxy within reach, so that`,
    `${source}@${version} is built by itself.`,
  ].join(' ')
}

async function removeStale(parent: string): Promise<void> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(STAGING_PREFIX))
  for (const name of names) {
    const path = join(parent, name)
    const found = await stat(path).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > STALE_AFTER) await rm(path, { recursive: true, force: true })
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

/** The system's own search, since the shell knows the rules of each system. */
async function locate(name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const [command, args] =
    process.platform === 'win32' ? ['where', [name]] : ['/bin/sh', ['-c', 'command -v "$1"', 'sh', name]]
  try {
    const { stdout } = await run(command, args, signal ? { signal } : {})
    return stdout.split(/\r?\n/)[0] || undefined
  } catch {
    signal?.throwIfAborted()
    return undefined
  }
}
