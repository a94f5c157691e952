import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { useDatabase } from '../support/mongodb.js'
import { type OAuthServer, startOAuthServer } from '../support/oauth-server.js'
import { REPOSITORY, run, usePackedProject } from '../support/packed-project.js'
import { type Snippet, snippetsOf } from '../support/snippets.js'

const PAGES = [
  'README.md',
  ...['plugin/SECURITY.md', 'plugin/SERVICES.md', 'plugin/STORAGE.md', 'plugin/OPERATING.md'],
]
const HOLE = '// <snippet>\n'

/** A program in `documentation/`, and the snippets that are put into it. */
interface Play {
  readonly program: string
  readonly snippets: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Whether it needs an OAuth server, and tokens of it. */
  readonly signsIn?: boolean
}

const SERVICE = 'plugin/SERVICES.md > Search'
const PLAYS: readonly Play[] = [
  { program: 'doctor.cjs', snippets: ['README.md > Ask the doctor'] },
  { program: 'client.cjs', snippets: ['README.md > Get the data: the export client'] },
  {
    ...{ program: 'smart.cjs', signsIn: true },
    snippets: [
      'plugin/SECURITY.md > Tokens: SMART Backend Services',
      'plugin/SECURITY.md > Tokens: SMART Backend Services (2)',
    ],
  },
  { program: 'authorize.cjs', snippets: ['plugin/SECURITY.md > A rule of your own'] },
  { program: 'authorize.cjs', snippets: ['plugin/SECURITY.md > A rule of your own (2)'] },
  { program: 'services.cjs', snippets: [SERVICE], environment: { WAY: 'search' } },
  {
    ...{ program: 'services.cjs', environment: { WAY: 'search' } },
    snippets: [SERVICE, 'plugin/SERVICES.md > Lists of patients'],
  },
  {
    ...{ program: 'services.cjs', environment: { WAY: 'stream' } },
    snippets: [SERVICE, 'plugin/SERVICES.md > Stream'],
  },
  {
    ...{ program: 'services.cjs', environment: { WAY: 'scan' } },
    snippets: [SERVICE, 'plugin/SERVICES.md > Scan'],
  },
  { program: 'collections.cjs', snippets: ['plugin/SERVICES.md > Scan (2)'] },
  { program: 'storages.cjs', snippets: ['plugin/STORAGE.md > Storage'] },
  { program: 'storages.cjs', snippets: ['plugin/STORAGE.md > Containers'] },
  { program: 'suite.mjs', snippets: ['plugin/STORAGE.md > A storage of your own'] },
  { program: 'metrics.cjs', snippets: ['plugin/OPERATING.md > Metrics'] },
]

const OPERATORS = 'operator-examples.test.ts signs in by it.'
/** Snippets that no program here runs, and who does. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'README.md > See it work': 'Continuous integration runs these commands.',
  'README.md > See it work in Docker': 'It needs a Docker engine; docker/try.sh builds and runs the image.',
  'README.md > Add it to your host': 'usePackedProject() installs by it.',
  'README.md > Add it to your host (2)': 'commonjs.test.ts and new-folder.test.ts run this host.',
  'README.md > Add it to your host (3)': 'new-folder.test.ts runs these commands.',
  'README.md > Run workers of your own': 'new-folder.test.ts runs this worker.',
  'README.md > Keep files in a cloud': 'usePackedProject() installs by it.',
  'README.md > Keep files in a cloud (2)': 'new-folder.test.ts exports with this storage.',
  'README.md > Watch your exports': OPERATORS,
  "plugin/OPERATING.md > The operator's page": OPERATORS,
  "plugin/OPERATING.md > The operator's page (2)": OPERATORS,
}

describe('the snippets of the documentation', () => {
  const database = useDatabase()
  const project = usePackedProject()
  let snippets: ReadonlyMap<string, Snippet>
  let oauth: OAuthServer | undefined

  before('read the pages', async () => {
    const all = (await Promise.all(PAGES.map(snippetsOf))).flat()
    snippets = new Map(all.map((snippet) => [snippet.name, snippet]))
  })

  after('close the OAuth server', () => oauth?.close())

  it('are all run, here or elsewhere', () => {
    const known = [...PLAYS.flatMap((play) => play.snippets), ...Object.keys(ELSEWHERE)]
    expect([...snippets.keys()]).to.have.members([...new Set(known)])
  })

  for (const play of PLAYS) {
    const { program, environment = {}, signsIn = false } = play
    it(`run: ${play.snippets.join(', ')}`, async function () {
      this.timeout(120_000)
      const folder = await project.newFolder(
        ['test/e2e/documentation', '.'],
        ['test/e2e/documentation/database.cjs', 'database.js'],
        ['test/e2e/commonjs/config.cjs', 'config.js'],
      )
      const database = await putInto(folder, play)
      const settings = { ...environment, ...database, ...(signsIn ? await tokens() : {}) }
      const mocha = join(REPOSITORY, 'node_modules/mocha/bin/mocha.js')
      const words = program.endsWith('.mjs') ? [mocha, '--no-config', '--fail-zero', program] : [program]
      await run(process.execPath, words, folder, settings)
    })
  }

  /** Puts the snippets where they belong, and gives the environment that all programs have. */
  async function putInto(folder: string, play: Play): Promise<Readonly<Record<string, string>>> {
    let file: string | undefined
    const lines: string[] = []
    for (const name of play.snippets) {
      const snippet = snippets.get(name)
      if (snippet === undefined) throw new Error(`There is no snippet ${name}.`)
      const { code, language } = snippet
      file = snippet.file ?? file
      if (language === 'sh') await writeFile(join(folder, 'snippet.sh'), code)
      else if (file === undefined) lines.push(code)
      else {
        await mkdir(dirname(join(folder, file)), { recursive: true })
        // What has no name of its own goes on with the file before.
        await appendFile(join(folder, file), code)
      }
    }
    const path = join(folder, play.program)
    const text = await readFile(path, 'utf8')
    expect(text.includes(HOLE), `${play.program} has a place for snippets`).to.equal(lines.length > 0)
    await writeFile(
      path,
      text.replace(HOLE, () => lines.join('\n')),
    )
    return { MONGODB_URI: database.uri, NODE_ENV: 'production' }
  }

  async function tokens(): Promise<Readonly<Record<string, string>>> {
    oauth ??= await startOAuthServer(['nightly'])
    return {
      ...{ OAUTH_ISSUER: oauth.issuer, OAUTH_AUDIENCE: oauth.audience },
      TOKEN: await oauth.token('nightly', 'system/*.read'),
      PATIENT_TOKEN: await oauth.token('nightly', 'system/Patient.rs'),
      BAD_TOKEN: await oauth.badToken('for another audience', 'nightly', 'system/*.read'),
    }
  }
})
