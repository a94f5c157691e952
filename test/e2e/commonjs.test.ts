import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { bulkClient } from '../../scripts/client/bulk-client.js'
import { linesIn } from '../../scripts/host/ndjson-lines.js'
import { freePort } from '../../scripts/servers/free-port.js'
import { useDatabase } from '../support/mongodb.js'
import { run, usePackedProject } from '../support/packed-project.js'
import { snippetsOf } from '../support/snippets.js'

/** The packed package in an otherwise empty project, as a team would have it. */
describe('a CommonJS host that is wired as the README says', () => {
  const database = useDatabase()
  const project = usePackedProject()
  let folder: string
  let server: ChildProcess | undefined

  before('write the host', async () => {
    folder = await project.newFolder(['test/e2e/commonjs/config.cjs', 'config.js'])
    await writeFile(join(folder, 'server.js'), await wiringSnippet())
  })

  afterEach('stop the host', async () => {
    if (server?.exitCode === null) {
      const exited = once(server, 'exit')
      server.kill('SIGTERM')
      await exited
    }
    server = undefined
  })

  it('exports what its services have', async () => {
    const patient = { resourceType: 'Patient', id: 'a', name: [{ family: 'Müller "Ö"\n\u2028' }] }
    const other = { resourceType: 'Patient', id: 'b' }
    const group = {
      resourceType: 'Group',
      id: 'g',
      actual: true,
      member: [{ entity: { reference: 'Patient/a' } }],
    }
    const ours = { resourceType: 'Observation', id: 'o1', subject: { reference: 'Patient/a' } }
    const theirs = { resourceType: 'Observation', id: 'o2', subject: { reference: 'Patient/b' } }
    for (const resource of [patient, other, group, ours, theirs]) {
      await database.db.collection(resource.resourceType).insertOne({ ...resource })
    }
    const port = await freePort()
    server = await startServer(port)
    const client = bulkClient(`http://127.0.0.1:${port}/4_0_0`)

    const { output } = await client.waitForExport(await client.kickOff({ group: 'g' }))
    const exported: unknown[] = []
    for (const { url } of output) {
      for await (const { text } of linesIn(await client.download(url))) exported.push(JSON.parse(text))
    }
    expect(exported).to.have.deep.members([patient, group, ours])

    const statement = await (await fetch(`http://127.0.0.1:${port}/4_0_0/metadata`)).json()
    expect(JSON.stringify(statement)).to.include(
      'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export',
    )
  })

  it('brings the export client with it, and all that needs', async () => {
    const patients = [
      { resourceType: 'Patient', id: 'a' },
      { resourceType: 'Patient', id: 'b' },
    ]
    await database.db.collection('Patient').insertMany(patients.map((each) => ({ ...each })))
    const port = await freePort()
    server = await startServer(port)
    const words = [
      '--url',
      `http://127.0.0.1:${port}/4_0_0`,
      '--type',
      'Patient',
      '--out',
      'loaded',
      '--json',
    ]
    const { stdout } = await run('npx', ['--no-install', 'fhir-bulk-export', ...words], folder)
    expect(JSON.parse(stdout)).to.include({ ending: 'complete', resources: 2 })
    const loaded = await readFile(join(folder, 'loaded', 'Patient-1.ndjson'), 'utf8')
    const lines = loaded.trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).to.have.deep.members(patients)
  })

  async function startServer(port: number): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['server.js'], {
      cwd: folder,
      env: {
        ...process.env,
        ...{ PORT: String(port), MONGODB_URI: database.uri, NODE_ENV: 'production' },
        EXPORT_STORAGE: pathToFileURL(join(folder, 'exports')).href,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let log = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`The host ended with exit code ${code}: ${log}`)
    })
    // The snippet says when it listens.
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended])
    // From here on its end is what the test asks for.
    ended.catch(() => undefined)
    return child
  }
})

async function wiringSnippet(): Promise<string> {
  const snippet = (await snippetsOf('README.md')).find(({ file }) => file === 'server.js')
  if (snippet === undefined) throw new Error('The README has no server.js.')
  return snippet.code
}
