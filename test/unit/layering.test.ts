import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

// Which folder may import what is written in biome.json. These tests hold the table of CONTRIBUTING.md against it:
// each file below gets every import of the lists, one a line, and the linter has to refuse those not allowed.

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const BIOME = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')

const HOST_SEARCH = "import type { HostSearch } from '../search/host-search.js'"
const LOGGER = "import type { Logger } from 'winston'"
const CORE = '@asymmetrik/node-fhir-server-core'

/** What files in a folder of `plugin/` could import: a module by its name, or a statement. */
const IMPORTS = [
  './neighbour.js',
  '../errors.js',
  '../options.js',
  '../index.js',
  '../fhir/resource.js',
  '../until-aborted.js',
  '../search/search-adapter.js',
  '../search/host-hooks.js',
  HOST_SEARCH,
  "import { hostSearch } from '../search/host-search.js'",
  '../search/core.js',
  '../storage/export-storage.js',
  '../storage/file.js',
  '../jobs/model.js',
  '../jobs/worker-list.js',
  '../jobs/reading-way.js',
  '../doctor/run-doctor.js',
  '../http/routes.js',
  './../index.js',
  '../../config/settings.js',
  '../../scripts/mongod/index.js',
  '../../test/support/mongodb.js',
  'node:fs',
  'node:fs/promises',
  'fhir/r4.js',
  'zod',
  LOGGER,
  "import { createLogger } from 'winston'",
  "import type { Connection } from 'mongoose'",
  "import type { mongo } from 'mongoose'",
  "import { Schema } from 'mongoose'",
  'mongodb',
  'bson',
  'agenda',
  '@agendajs/mongo-backend',
  'express',
  CORE,
  `${CORE}/dist/server/index.js`,
  '@aws-sdk/client-s3',
  '@azure/storage-blob',
  '@google-cloud/storage',
  'prom-client',
  'some-other-package',
]

const NODE = ['node:fs', 'node:fs/promises']
const FHIR = ['./neighbour.js', '../errors.js', 'fhir/r4.js']
const STORAGE = ['./neighbour.js', ...NODE]
const SEARCH = ['./neighbour.js', '../errors.js', '../until-aborted.js', '../fhir/resource.js', ...NODE]
const CONTRACTS = [
  '../search/search-adapter.js',
  '../search/host-hooks.js',
  HOST_SEARCH,
  '../storage/export-storage.js',
]
const JOBS = [
  './neighbour.js',
  '../errors.js',
  '../until-aborted.js',
  '../fhir/resource.js',
  ...CONTRACTS,
  ...NODE,
  LOGGER,
]
const HTTP = [...JOBS, ...IMPORTS.filter((name) => name.startsWith('../jobs/'))]
const DOCTOR = [
  ...SEARCH,
  ...IMPORTS.filter((name) => name.includes('../search/')),
  ...['../storage/export-storage.js', '../jobs/worker-list.js', '../jobs/reading-way.js', LOGGER],
]
const THREADS = [
  './neighbour.js',
  '../errors.js',
  '../fhir/resource.js',
  '../jobs/model.js',
  'mongodb',
  ...NODE,
  LOGGER,
]
const MONGOOSE = IMPORTS.filter((name) => name.endsWith("'mongoose'"))

/** For each file, those of `IMPORTS` that are allowed in it. A neighbour may be called what it likes. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'plugin/fhir/any.ts': FHIR,
  'plugin/storage/any.ts': STORAGE,
  'plugin/storage/file.ts': STORAGE,
  'plugin/storage/s3.ts': [...STORAGE, '@aws-sdk/client-s3'],
  'plugin/storage/azure.ts': [...STORAGE, '@azure/storage-blob'],
  'plugin/storage/gcs.ts': [...STORAGE, '@google-cloud/storage'],
  'plugin/search/any.ts': SEARCH,
  'plugin/search/core.ts': [...SEARCH, CORE, `${CORE}/dist/server/index.js`],
  'plugin/search/collection-scan.ts': [...SEARCH, 'mongodb', 'bson'],
  'plugin/jobs/any.ts': JOBS,
  'plugin/jobs/collections.ts': [...JOBS, ...MONGOOSE],
  'plugin/jobs/export-jobs.ts': [...JOBS, ...MONGOOSE],
  'plugin/jobs/engine-options.ts': [...JOBS, "import type { Connection } from 'mongoose'"],
  'plugin/jobs/queue.ts': [
    ...JOBS,
    'agenda',
    '@agendajs/mongo-backend',
    "import type { mongo } from 'mongoose'",
  ],
  'plugin/threads/any.ts': THREADS,
  'plugin/doctor/any.ts': DOCTOR,
  'plugin/doctor/database.ts': ['mongodb'],
  'plugin/http/any.ts': HTTP,
  'plugin/http/routes.ts': [...HTTP, 'express'],
  'plugin/http/capability-statement.ts': [...HTTP, CORE, `${CORE}/dist/server/index.js`],
  'config/any.ts': IMPORTS,
  'scripts/any.ts': IMPORTS,
  'test/unit/any.ts': IMPORTS,
}

/** Other ways to write an import, and files beside the folders: source, and whether it is refused. */
const STATEMENTS: readonly [file: string, source: string, refused: boolean][] = [
  ['plugin/fhir/a.ts', "export { x } from '../storage/file.js'", true],
  ['plugin/fhir/b.ts', "export * from 'mongodb'", true],
  ['plugin/fhir/c.ts', "await import('../jobs/model.js')", true],
  ['plugin/fhir/d.ts', "import type { Schema } from 'mongoose'", true],
  ['plugin/fhir/e.ts', "import storage = require('../storage/file.js')", true],
  ['plugin/fhir/f.ts', "import './detour/../../storage/file.js'", true],
  ['plugin/errors.ts', "import './fhir/resource.js'", true],
  ['plugin/options.ts', "import { z } from 'zod'; import './jobs/prometheus-client.js'", false],
  ['plugin/other.ts', "import './index.js'", true],
  ['plugin/other-package.ts', "import 'zod'", true],
  ['plugin/index.ts', "import './jobs/engine.js'", false],
  ['scripts/environment.ts', "import { env } from 'node:process'", true],
]

interface Diagnostic {
  readonly category: string
  readonly location: { readonly path: string; readonly start: { readonly line: number } }
}

describe('import rules', () => {
  let directory: string
  /** `rule path:line` of everything the linter said. */
  const found = new Set<string>()

  before(async function () {
    this.timeout(60_000)
    directory = await mkdtemp(join(tmpdir(), 'layering-'))
    const { vcs: _, ...config } = JSON.parse(await readFile(join(PROJECT, 'biome.json'), 'utf8'))
    await write('biome.json', JSON.stringify(config))
    for (const file of Object.keys(ALLOWED)) await write(file, IMPORTS.map(statement).join('\n'))
    for (const [file, source] of STATEMENTS) await write(file, source)
    await write('plugin/jobs/one.ts', "import { two } from './two.js'\nexport const one = () => two")
    await write('plugin/jobs/two.ts', "import { one } from './one.js'\nexport const two = () => one")
    await write('plugin/jobs/environment.ts', 'process.env.HOME')
    await write('scripts/environment-too.ts', "process['env']['HOME']")
    await write('config/environment.ts', 'process.env.HOME')
    for (const { category, location } of await lint(directory)) {
      found.add(
        `${category.replace(/^lint\/\w+\//, '')} ${location.path.replaceAll('\\', '/')}:${location.start.line}`,
      )
    }
  })
  after(() => rm(directory, { recursive: true }))

  async function write(file: string, source: string): Promise<void> {
    await mkdir(join(directory, dirname(file)), { recursive: true })
    await writeFile(join(directory, file), source)
  }

  for (const [file, allowed] of Object.entries(ALLOWED)) {
    it(`allow ${allowed.length} of ${IMPORTS.length} imports in ${file} and refuse the others`, () => {
      const refused = IMPORTS.filter((_, index) => found.has(`noRestrictedImports ${file}:${index + 1}`))
      expect(refused).to.deep.equal(IMPORTS.filter((name) => !allowed.includes(name)))
    })
  }

  for (const [file, source, refused] of STATEMENTS) {
    it(`${refused ? 'refuse' : 'allow'} ${source} in ${file}`, () => {
      expect(found.has(`noRestrictedImports ${file}:1`)).to.equal(refused)
    })
  }

  it('refuse a cycle', () => {
    expect(found).to.include('noImportCycles plugin/jobs/one.ts:1')
    expect(found).to.include('noImportCycles plugin/jobs/two.ts:1')
  })

  it('let config/ alone read the environment', () => {
    expect(found).to.include('noProcessEnv plugin/jobs/environment.ts:1')
    expect(found).to.include('noProcessEnv scripts/environment-too.ts:1')
    expect(found).to.not.include('noProcessEnv config/environment.ts:1')
  })

  it('hold for ways around them that the linter does not see', async () => {
    const environment = /\{[^{}]*\benv\b[^{}]*\}\s*=\s*(?:globalThis\.)?process\b/
    const typeImport = /(?:typeof|[:<|&(=])\s*import\(/
    for (const folder of ['plugin', 'scripts']) {
      for (const name of await readdir(join(PROJECT, folder), { recursive: true })) {
        if (!name.endsWith('.ts')) continue
        const source = await readFile(join(PROJECT, folder, name), 'utf8')
        expect(source, join(folder, name)).to.not.match(environment)
        if (folder === 'plugin') expect(source, join(folder, name)).to.not.match(typeImport)
      }
    }
  })
})

function statement(name: string): string {
  return name.startsWith('import ') ? name : `import '${name}'`
}

/** Everything the linter has to say about the files in `directory`. */
async function lint(directory: string): Promise<readonly Diagnostic[]> {
  const args = [BIOME, 'lint', '--reporter=json', '--max-diagnostics=none', '.']
  const output = await new Promise<string>((resolve) => {
    // It exits with an error when it finds something, which is the point here.
    execFile(process.execPath, args, { cwd: directory, maxBuffer: 2 ** 26 }, (_error, stdout) =>
      resolve(stdout),
    )
  })
  return JSON.parse(output).diagnostics
}
