import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { childEnvironment } from '../../config/child-environment.js'
import { snippetsOf } from './snippets.js'

/** The repository. */
export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

/** A folder that has the packed package installed and nothing else of this repository. The fields are for hooks and tests. */
export interface PackedProject {
  readonly folder: string
  readonly tarball: Tarball
  /** Makes a folder in it for one test, with a copy of some files of the repository. */
  newFolder(...copies: readonly (readonly [from: string, to: string])[]): Promise<string>
}

/** What `npm pack` says of the package. */
export interface Tarball {
  readonly filename: string
  /** Compressed, in bytes. */
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

const INSTALL_TIMEOUT = 300_000
const NAME = 'node-fhir-server-bulk-export'
/** The driver of the host, of another major version than the plugin's. */
const HOST_DRIVER = 'npm install mongodb@4'
/** Packages of which the documentation has snippets; as they are here, since installing them takes long. */
const LINKED = [
  ...['@azure/storage-blob', '@azure/identity', '@google-cloud/storage'],
  ...['chai', 'mocha', 'prom-client'],
]

let project: Promise<PackedProject> | undefined

/** Call inside a `describe`, above its hooks. The project is made once for all suites of a run, as the README says. */
export function usePackedProject(): PackedProject {
  let made: PackedProject | undefined
  before('install the packed package', async function () {
    this.timeout(INSTALL_TIMEOUT)
    project ??= makeProject()
    made = await project
  })
  const opened = (): PackedProject => {
    if (made === undefined) throw new Error('the project is for hooks and tests, not for describe()')
    return made
  }
  return {
    get folder() {
      return opened().folder
    },
    get tarball() {
      return opened().tarball
    },
    newFolder: (...copies) => opened().newFolder(...copies),
  }
}

/** For the end of the run. */
export async function removePackedProject(): Promise<void> {
  const made = await project?.catch(() => undefined)
  if (made !== undefined) await rm(made.folder, { recursive: true, force: true })
}

/** Runs a program to its end; rejects, with what it has said, if it fails. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
) {
  return promisify(execFile)(command, args, {
    ...{ cwd, maxBuffer: 64 * 1024 * 1024 },
    env: childEnvironment(environment),
  })
}

async function makeProject(): Promise<PackedProject> {
  const folder = await mkdtemp(join(tmpdir(), 'bulk-export-packed-'))
  try {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], REPOSITORY)
    const [tarball] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [Tarball]
    await writeFile(join(folder, 'package.json'), '{ "private": true }')
    const commands = (await snippetsOf('README.md')).filter(({ code }) => code.startsWith('npm install '))
    for (const command of [...commands.map(({ code }) => code), HOST_DRIVER]) {
      const [, ...words] = command.trim().split(/\s+/)
      const named = words.map((word) => (word === NAME ? `./${tarball.filename}` : word))
      await run('npm', named, folder, {
        ...{ npm_config_audit: 'false', npm_config_fund: 'false', npm_config_prefer_offline: 'true' },
      })
    }
    for (const name of LINKED) await link(name, folder)
    return { folder, tarball, newFolder: (...copies) => newFolder(folder, copies) }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function link(name: string, folder: string): Promise<void> {
  const place = join(folder, 'node_modules', name)
  await mkdir(dirname(place), { recursive: true })
  await symlink(join(REPOSITORY, 'node_modules', name), place, 'junction')
}

async function newFolder(parent: string, copies: readonly (readonly [string, string])[]): Promise<string> {
  const folder = await mkdtemp(join(parent, 'test-'))
  for (const [from, to] of copies) await cp(join(REPOSITORY, from), join(folder, to), { recursive: true })
  return folder
}
