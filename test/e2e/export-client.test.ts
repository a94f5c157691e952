import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { population } from '../../scripts/population/index.js'
import { compartmentsOf } from '../support/compartment.js'
import { filesIn, namesOf, resourcesIn, runClient, useFolder } from '../support/export-client.js'
import { startHost, type TestHost, type TestResource } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'

const PEOPLE = [...population({ patients: 20 })] as unknown as readonly TestResource[]
const GROUP: TestResource = {
  ...{ resourceType: 'Group', id: 'ours', type: 'person', actual: true },
  member: [{ entity: { reference: 'Patient/p1' } }, { entity: { reference: 'Patient/p5' } }],
}
const ALL = [...PEOPLE, GROUP]
const inCompartmentOf = (...ids: readonly string[]) =>
  ALL.filter((resource) => ids.some((id) => compartmentsOf(resource).has(id)))

describe('the export client', () => {
  const database = useSuiteDatabase()
  const folder = useFolder()
  let host: TestHost
  const run = (...words: readonly string[]) =>
    runClient(['--url', host.base, '--out', join(folder.path, 'out'), ...words])

  before('start a host', async function () {
    this.timeout(60_000)
    const options = { maxFileResources: 50, hashFiles: true, minPollInterval: 0 }
    host = await startHost(database, { resources: ALL, options })
  })
  after(() => host.close())

  const levels: readonly {
    readonly words: readonly string[]
    readonly expected: readonly TestResource[]
  }[] = [
    { words: [], expected: ALL },
    { words: ['--post'], expected: ALL },
    { words: ['--level', 'patient'], expected: ALL.filter((resource) => compartmentsOf(resource).size > 0) },
    { words: ['--group', 'ours'], expected: inCompartmentOf('p1', 'p5') },
    { words: ['--level', 'group', '--group', 'ours', '--patient', 'p1'], expected: inCompartmentOf('p1') },
    { words: ['--patient', 'p2', '--patient', 'Patient/p3'], expected: inCompartmentOf('p2', 'p3') },
    {
      words: ['--type', 'Patient', '--type', 'Group'],
      expected: ALL.filter(({ resourceType }) => ['Patient', 'Group'].includes(resourceType)),
    },
    {
      words: ['--type-filter', 'Patient?gender=female', '--type', 'Patient'],
      expected: ALL.filter(({ resourceType, gender }) => resourceType === 'Patient' && gender === 'female'),
    },
    { words: ['--until', '2001-01-01T00:00:00Z'], expected: [] },
  ]
  for (const { words, expected } of levels) {
    it(`gets exactly what is to be exported: ${words.join(' ') || 'everything'}`, async () => {
      const { code, stdout, stderr } = await run('--json', '--parallel', '3', ...words)
      expect(code, stderr).to.equal(0)
      const out = join(folder.path, 'out')
      expect(namesOf(await resourcesIn(out))).to.deep.equal(namesOf(expected))
      const types = new Set(expected.map(({ resourceType }) => resourceType))
      const summary = JSON.parse(stdout)
      expect(summary).to.include({ ending: 'complete', exitCode: 0, resources: expected.length })
      expect(summary.types.map(({ type }: { type: string }) => type).sort()).to.deep.equal([...types].sort())
      const files = await filesIn(out)
      expect(files).to.include('manifest.json')
      expect(files.filter((name) => !name.endsWith('.ndjson'))).to.deep.equal(['manifest.json'])
    })
  }

  it('says what it got, without a terminal in plain lines', async () => {
    const { code, stdout, stderr } = await run('--type', 'Patient')
    expect([code, stderr]).to.deep.equal([0, ''])
    expect(stdout).to.match(/note: the export is at http.*\n/)
    expect(stdout).to.include('loaded (1 of 1): Patient-1.ndjson, 20 lines')
    expect(stdout).to.match(/Patient +1 +20 +[\d.]+ kB\n/)
    expect(stdout).to.not.include('\u001b')
  })

  it('says nothing with --quiet', async () => {
    expect(await run('--type', 'Patient', '--quiet')).to.deep.equal({ code: 0, stdout: '', stderr: '' })
  })

  it('deletes the export when it is told to, and not before all is there', async () => {
    const { stdout } = await run('--json', '--delete', '--type', 'Patient')
    const { statusUrl, isDeleted } = JSON.parse(stdout)
    expect(isDeleted).to.equal(true)
    expect((await fetch(statusUrl)).status).to.equal(404)
  })

  it('counts what the server tells of errors, shows them, and says so by its exit code', async () => {
    const { code, stdout } = await run('--type', 'Patient,Nonsense', '--lenient')
    const out = join(folder.path, 'out')
    const files = (await filesIn(out)).filter((name) => name.startsWith('error/'))
    expect(files).to.have.length(1)
    const { issue } = JSON.parse(await readFile(join(out, files[0] as string), 'utf8'))
    expect(code).to.equal(['error', 'fatal'].includes(issue[0].severity) ? 7 : 0)
    expect(stdout).to.include(`${issue[0].severity}: ${issue[0].diagnostics}`)
  })

  it('repeats nothing that is there and right when it goes on, and loads again what is not', async () => {
    const first = JSON.parse((await run('--json', '--type', 'Patient,Group,Condition')).stdout)
    const out = join(folder.path, 'out')
    const before = namesOf(await resourcesIn(out))
    const path = join(out, 'Patient-1.ndjson')
    const content = await readFile(path, 'utf8')
    await writeFile(path, content.replace('"birthDate"', '"birthdate"'))
    const { code, stdout, stderr } = await run('--json', '--resume', first.statusUrl)
    expect(code, stderr).to.equal(0)
    const files = first.types.reduce((sum: number, type: { files: number }) => sum + type.files, 0)
    expect(JSON.parse(stdout).reused).to.equal(files - 1)
    expect(stderr).to.include('Patient-1.ndjson is there, but not right')
    expect(await readFile(path, 'utf8')).to.equal(content)
    expect(namesOf(await resourcesIn(out))).to.deep.equal(before)
  })

  it('refuses a folder that has something else in it, before it asks for anything', async () => {
    await writeFile(join(folder.path, 'letter.txt'), '')
    const words = ['--url', host.base, '--out', folder.path]
    const { code, stderr } = await runClient(words)
    expect(code).to.equal(2)
    expect(stderr).to.include('is not empty (it has letter.txt)').and.include('--resume')
    const resumed = await runClient([...words, '--resume', `${host.base}/$export/another`])
    expect(resumed.code).to.equal(2)
    expect(resumed.stderr).to.include('has other files')
    const below = await runClient(['--url', host.base, '--out', join(folder.path, 'letter.txt', 'x')])
    expect([below.code, below.stderr.includes('is not a folder')]).to.deep.equal([2, true])
  })
})
