import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

describe('a test run', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'leak-check-'))
  })
  after(() => rm(directory, { recursive: true }))

  /** Runs Mocha as `npm test` does, on one file whose only test is `body`. */
  async function run(name: string, body: string): Promise<{ code: number | null; output: string }> {
    const file = join(directory, `${name}.test.mts`)
    const imports = ["import { createServer } from 'node:http'", "import { spawn } from 'node:child_process'"]
    await writeFile(file, [...imports, `it('passes', () => { ${body} })`].join('\n'))
    const child = spawn(process.execPath, [MOCHA, file], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [output, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ])
    return { code, output: output + errors }
  }

  it('passes when nothing is left open, or only what keeps no process alive', async () => {
    const { code, output } = await run('clean', 'setInterval(() => {}, 1000).unref()')
    expect(output).to.include('1 passing')
    expect(code).to.equal(0)
  })

  it('fails and says what is left when its tests pass but leave something open', async () => {
    const timer = 'setInterval(() => {}, 1000)'
    const server = "createServer().listen(0, '127.0.0.1')"
    const program = "spawn(process.execPath, ['-e', 'process.stdin.resume()'])"
    const { code, output } = await run('leak', [timer, server, program].join('\n'))
    expect(output).to.include('1 passing')
    expect(output).to.match(/Leak: [\s\S]*Active: .*Timeout/)
    expect(output).to.match(/server that listens on .*"127\.0\.0\.1"/)
    expect(output).to.match(/child process \d+: .*process\.stdin\.resume/)
    expect(code).to.equal(1)
  })
})
