import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { filesIn, runClient, startClient, useFolder } from '../support/export-client.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

const PATIENTS = Array.from({ length: 300 }, (_, index) => ({
  ...{ resourceType: 'Patient', id: `p${index}` },
  text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${'x'.repeat(1000)}</div>` },
}))

describe('the program of the export client', () => {
  const database = useSuiteDatabase()
  const folder = useFolder()
  let host: TestHost
  let gate: Gate
  const words = (...more: readonly string[]) => [
    '--url',
    host.base,
    '--out',
    join(folder.path, 'out'),
    ...more,
  ]

  before('start a host that waits with observations', async () => {
    const search = async () => {
      await gate.pass()
      return [{ resourceType: 'Observation', id: 'o1' }]
    }
    const profiles = { Observation: { service: { search }, versions: ['4_0_0'] } }
    host = await startHost(database, { resources: PATIENTS, profiles, options: { minPollInterval: 0 } })
  })
  beforeEach(() => {
    gate = new Gate()
  })
  afterEach(() => gate.open())
  after(() => host.close())

  it('ends with a code for each way to end, and says why', async function () {
    this.timeout(90_000)
    const table: readonly {
      readonly words: readonly string[]
      readonly code: number
      readonly says: string
    }[] = [
      { words: ['--help'], code: 0, says: 'Exit codes:' },
      { words: words('--type', 'Patient'), code: 0, says: '1 type ' },
      { words: ['--out', 'x'], code: 2, says: '--url' },
      { words: words('--timeout', 'soon'), code: 2, says: '--timeout must be a number of seconds' },
      { words: words('--type', 'Nonsense'), code: 3, says: 'Nonsense' },
      { words: words('--resume', `${host.base}/$export/none`), code: 4, says: 'HTTP 404' },
      { words: words('--type', 'Observation', '--timeout', '1s'), code: 6, says: 'longer than 1 s' },
      { words: ['--url', 'http://127.0.0.1:1/x', '--retries', '0'], code: 9, says: 'cannot be reached' },
    ]
    await Promise.all(
      table.map(async ({ words, code, says }, index) => {
        // Each in a folder of its own; the last word on it counts.
        const own = words[0] === '--url' ? [...words, '--out', join(folder.path, String(index))] : words
        const ended = await startClient(own).ended
        const shown = `${words.join(' ')}: ${ended.stdout}${ended.stderr}`
        expect(ended.code, shown).to.equal(code)
        expect(shown).to.include(says)
        expect(shown).to.not.match(/\n\s+at /)
      }),
    )
  })

  it('leaves an export to be gone on with when it is told to end, and goes on with it', async () => {
    const client = startClient(words('--type', 'Patient,Observation', '--json'))
    await client.said('the export is at')
    await gate.reached
    client.kill('SIGINT')
    const { code, stdout, stderr } = await client.ended
    expect(code).to.equal(130)
    const { statusUrl, exitCode } = JSON.parse(stdout)
    expect(exitCode).to.equal(130)
    expect(stderr).to.include(`--resume ${statusUrl}`)
    gate.open()
    const resumed = await runClient(words('--resume', statusUrl))
    expect(resumed.code, resumed.stderr).to.equal(0)
    expect(await filesIn(join(folder.path, 'out'))).to.deep.equal([
      ...['Observation-1.ndjson', 'Patient-1.ndjson', 'manifest.json'],
    ])
  })

  it('cancels the export when it is told to end, if that is wanted', async () => {
    const client = startClient(words('--type', 'Observation', '--cancel-on-exit', '--json'))
    await client.said('the export is at')
    client.kill('SIGTERM')
    const { code, stdout, stderr } = await client.ended
    expect(code).to.equal(143)
    expect(stderr).to.include('was cancelled on the server')
    expect((await fetch(JSON.parse(stdout).statusUrl)).status).to.equal(404)
  })

  it('lives through a time without a network', async () => {
    const { hostname, port } = new URL(host.base)
    const proxy = await startTcpProxy({ host: hostname, port: Number(port) })
    const client = startClient(
      words('--type', 'Patient,Observation', '--url', `http://127.0.0.1:${proxy.port}/4_0_0`),
    )
    await gate.reached
    await proxy.shut()
    gate.open()
    await client.said('trying again')
    await proxy.open()
    const { code, stderr } = await client.ended
    await proxy.shut()
    expect(code, stderr).to.equal(0)
  })

  it('says that a disk is full, and goes on when there is room', async function () {
    // What sets the limit of another process is there on Linux only.
    if (process.platform !== 'linux') this.skip()
    const command = ['--fsize=100000:100000', process.execPath, '--import', 'tsx', 'scripts/export.ts']
    const failed = await promisify(execFile)('prlimit', [...command, ...words('--type', 'Patient')]).then(
      () => ({ code: 0, stderr: '' }),
      (error: { code: number; stderr: string }) => error,
    )
    expect(failed.code, failed.stderr).to.equal(5)
    expect(failed.stderr).to.include('Patient-1.ndjson: The folder').and.include('Raise the limit')
    const statusUrl = /--resume (\S+)/.exec(failed.stderr.split('\n').at(-2) ?? '')?.[1] as string
    const part = await readFile(join(folder.path, 'out', 'Patient-1.ndjson.part'))
    expect(part.length).to.equal(100_000)
    const { code, stderr } = await runClient(words('--resume', statusUrl))
    expect(code, stderr).to.equal(0)
    expect(await filesIn(join(folder.path, 'out'))).to.deep.equal(['Patient-1.ndjson', 'manifest.json'])
  })
})
