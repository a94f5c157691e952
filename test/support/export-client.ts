import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { childEnvironment } from '../../config/child-environment.js'
import { exportProgram } from '../../scripts/client/program.js'
import type { TestResource } from './export-host.js'

export interface ClientRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the export client within this process, as its program does. */
export async function runClient(words: readonly string[], token?: string): Promise<ClientRun> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const texts = Promise.all([text(stdout), text(stderr)])
  const code = await exportProgram({ words, token, stdout, stderr, onSignals: () => undefined })
  stdout.end()
  stderr.end()
  const [out, err] = await texts
  return { code, stdout: out, stderr: err }
}

/** The export client in a process of its own. */
export interface ClientProcess {
  /** Resolves as soon as the program has said this. */
  said(words: string): Promise<void>
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<ClientRun>
}

export function startClient(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ClientProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/export.ts', ...words], {
    env: childEnvironment(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      said[name] += chunk
      child.emit('said')
    })
  }
  const ended = once(child, 'close').then(([code]): ClientRun => ({ code: code as number, ...said }))
  return {
    async said(words) {
      while (!`${said.stdout}${said.stderr}`.includes(words)) {
        const over = await Promise.race([once(child, 'said').then(() => undefined), ended])
        if (over !== undefined) throw new Error(`It ended with ${over.code}: ${over.stdout}${over.stderr}`)
      }
    },
    kill: (signal) => child.kill(signal),
    ended,
  }
}

/** Gives each test of a `describe` a folder of its own. */
export function useFolder(): { readonly path: string } {
  let path = ''
  beforeEach('make a folder', async () => {
    path = await mkdtemp(join(tmpdir(), 'export-client-'))
  })
  afterEach('remove the folder', () => rm(path, { recursive: true, force: true }))
  return {
    get path() {
      return path
    },
  }
}

/** The files in a folder and below, without those of the client itself. */
export async function filesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1))
    .sort()
}

/** The resources in the output files of a folder. */
export async function resourcesIn(directory: string): Promise<readonly TestResource[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.ndjson'))
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  return texts.flatMap((content) =>
    content
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as TestResource),
  )
}

/** Resources by name, such as `Patient/p1`, in an order that does not depend on where they come from. */
export function namesOf(resources: readonly TestResource[]): readonly string[] {
  return resources.map(({ resourceType, id }) => `${resourceType}/${id}`).sort()
}
