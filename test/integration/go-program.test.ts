import { chmod, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type GoProgram, goProgram, ProgramNotFoundError } from '../../scripts/servers/go-program.js'
import { createTestLogger } from '../support/logger.js'

const PROGRAM: GoProgram = { name: 'example-server', package: 'example.com/server', version: 'v1.2.3' }

describe('a program in Go', () => {
  if (process.platform === 'win32') return
  const { PATH } = process.env
  let folder: string
  let directory: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-go-'))
    directory = join(folder, 'cache')
    await mkdir(join(folder, 'bin'))
    // What the stand-in for Go needs, and nothing else.
    for (const name of ['sh', 'chmod']) await symlink(`/bin/${name}`, join(folder, 'bin', name))
    process.env['PATH'] = join(folder, 'bin')
  })
  afterEach(async () => {
    process.env['PATH'] = PATH
    await rm(folder, { recursive: true, force: true })
  })
  const put = async (name: string, script: string) => {
    const path = join(folder, 'bin', name)
    await writeFile(path, `#!/bin/sh\n${script}\n`)
    await chmod(path, 0o755)
    return path
  }
  const find = () => goProgram(PROGRAM, { directory, logger: createTestLogger().logger })
  const built = async () => readdir(join(directory, 'go-programs'))

  it('is the one on the PATH, and then nothing is built', async () => {
    const path = await put(PROGRAM.name, 'exit 0')
    await put('go', 'exit 1')
    expect(await find()).to.equal(path)
  })

  it('is built once, in its exact version, also when several want it at the same time', async () => {
    const log = join(folder, 'log')
    await put(
      'go',
      `echo "$@" >> ${log}; echo built > "$GOBIN/example-server"; chmod 755 "$GOBIN/example-server"`,
    )
    const paths = await Promise.all([find(), find(), find()])
    expect(new Set(paths).size).to.equal(1)
    expect(paths[0]).to.match(/go-programs\/example-server-v1\.2\.3-\w+-\w+\/example-server$/)
    expect(await built()).to.have.length(1)
    await put('go', 'exit 1')
    expect(await find()).to.equal(paths[0])
  })

  it('cannot be had without Go, and the error names the ways', async () => {
    const error = await find().catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(ProgramNotFoundError)
    expect(error)
      .to.have.property('message')
      .that.includes('no Go on the PATH')
      .and.includes('Put a example-server on the PATH')
      .and.includes('example.com/server@v1.2.3')
  })

  it('leaves nothing of a build that fails, and says why it did', async () => {
    await put('go', 'echo half > "$GOBIN/example-server"; echo first >&2; echo "no such module." >&2; exit 1')
    const error = await find().catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(ProgramNotFoundError)
    expect(error).to.have.property('message').that.includes('`go install` failed: no such module. Put')
    expect(await built()).to.deep.equal([])
  })

  it('ends with the reason of the signal', async () => {
    await put('go', 'exit 0')
    const signal = AbortSignal.abort(new Error('stop'))
    const finding = goProgram(PROGRAM, { directory, logger: createTestLogger().logger, signal })
    expect(await finding.catch((reason: unknown) => reason)).to.have.property('message', 'stop')
  })

  it('removes what a build left that was killed long ago', async () => {
    await put('go', 'echo built > "$GOBIN/example-server"')
    const old = join(directory, 'go-programs', '.staging-old')
    await mkdir(old, { recursive: true })
    await utimes(old, 0, 0)
    await find()
    expect(await built()).to.have.length(1)
  })
})
