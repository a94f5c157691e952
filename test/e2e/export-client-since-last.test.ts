import { spawnSync } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { namesOf, resourcesIn, runClient, useFolder } from '../support/export-client.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { startTamperProxy, type Tampering, type TamperProxy } from '../support/tamper-proxy.js'

describe('the export client with --since-last', () => {
  const database = useDatabase()
  const folder = useFolder()
  let host: TestHost
  let proxy: TamperProxy
  let fileAnswer: Tampering | undefined

  beforeEach('start a host', async () => {
    host = await startHost(database, {
      types: ['Patient', 'Observation'],
      options: { writeGrace: 500, minPollInterval: 0 },
    })
    fileAnswer = undefined
    proxy = await startTamperProxy(host.base, ({ path }) =>
      path.endsWith('.ndjson') ? fileAnswer : undefined,
    )
  })
  afterEach('close the host', async () => {
    await proxy.close()
    await host.close()
  })

  const run = async (...words: readonly string[]) => {
    const own = ['--url', proxy.base, '--out', folder.path, '--since-last', '--json', '--retries', '0']
    const { code, stdout, stderr } = await runClient([...own, ...words])
    return { code, stderr, summary: JSON.parse(stdout) }
  }
  /** What a run that has to be good has got. */
  const got = async (...words: readonly string[]) => {
    const { code, stderr, summary } = await run(...words)
    expect(code, stderr).to.equal(0)
    return namesOf(await resourcesIn(summary.directory))
  }
  async function put(id: string, text = '') {
    const answer = await fetch(`${host.base}/Patient/${id}`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Patient', id, name: [{ text: `${id} ${text}` }] }),
    })
    expect(answer.ok, await answer.text()).to.equal(true)
  }

  it('gets what is new or changed since the last run, and each run has a folder of its own', async () => {
    await put('a')
    await put('b')
    expect(await got()).to.deep.equal(['Patient/a', 'Patient/b'])
    expect(await got()).to.deep.equal([])
    await put('b', 'changed')
    await put('c')
    expect(await got()).to.deep.equal(['Patient/b', 'Patient/c'])
    const names = (await readdir(folder.path)).sort()
    expect(names).to.have.length(4)
    expect(names.filter((name) => /^20\d\d-.*Z$/.test(name))).to.have.length(3)
    expect(names).to.include('bulk-export-state.json')
  })

  it('gets what was deleted since', async () => {
    for (const id of ['a', 'b', 'c']) await put(id)
    await got()
    for (const id of ['a', 'c']) {
      const { status } = await fetch(`${host.base}/Patient/${id}`, { method: 'DELETE' })
      expect(status).to.equal(204)
    }
    const { code, stderr, summary } = await run()
    expect(code, stderr).to.equal(0)
    const deleted = join(summary.directory, 'deleted')
    const texts = await Promise.all(
      (await readdir(deleted)).map((name) => readFile(join(deleted, name), 'utf8')),
    )
    const entries = texts
      .flatMap((text) => text.trimEnd().split('\n'))
      .flatMap((line) => JSON.parse(line).entry as { readonly request: { readonly url: string } }[])
    expect(entries.map(({ request }) => request.url).sort()).to.deep.equal(['Patient/a', 'Patient/c'])
    expect(summary.deleted.files).to.equal(texts.length)
  })

  it('lets only one process at a time work in a folder, but is not held up by a dead one', async () => {
    await put('a')
    const lock = join(folder.path, '.bulk-export.lock')
    const host = hostname()
    await writeFile(lock, JSON.stringify({ pid: process.ppid, host }))
    const held = await run()
    expect(held.code).to.equal(2)
    expect(held.summary.error).to.include(`process ${process.ppid} on ${host}`)
    const dead = spawnSync(process.execPath, ['--version']).pid
    for (const pid of [dead, process.pid]) {
      await writeFile(lock, JSON.stringify({ pid, host }))
      expect((await run()).code).to.equal(0)
    }
    expect(await readdir(folder.path)).to.not.include('.bulk-export.lock')
  })

  it('knows the times of different exports apart', async () => {
    await put('a')
    expect(await got()).to.deep.equal(['Patient/a'])
    for (const words of [
      ['--type', 'Patient'],
      ['--level', 'patient'],
      ['--header', 'X-Tenant: north'],
    ]) {
      expect(await got(...words), words.join(' ')).to.deep.equal(['Patient/a'])
      expect(await got(...words), words.join(' ')).to.deep.equal([])
    }
  })

  it('loses nothing and repeats nothing while resources are written all the time', async () => {
    const written: string[] = []
    let isOver = false
    const writer = (async () => {
      for (let number = 0; !isOver; number++) {
        await put(`p${number}`)
        written.push(`Patient/p${number}`)
      }
    })()
    const runs: (readonly string[])[] = []
    try {
      for (let count = 0; count < 3; count++) runs.push(await got())
    } finally {
      isOver = true
      await writer
    }
    runs.push(await got())
    expect(runs.flat().sort()).to.deep.equal(written.sort())
    expect(runs.filter(({ length }) => length > 0).length, 'runs that had something').to.be.above(2)
  })

  it('moves on only when all was loaded and checked, and a run that failed can be gone on with', async () => {
    await put('a')
    expect(await got()).to.deep.equal(['Patient/a'])
    await put('b')
    fileAnswer = { body: (text) => text.replace('Patient', 'Patiemt') }
    const wrong = await run()
    expect(wrong.code).to.equal(5)
    fileAnswer = { answer: { status: 403 } }
    const refused = await run()
    expect(refused.code).to.equal(5)
    fileAnswer = undefined
    await put('c')
    const other = await run('--type', 'Patient', '--resume', refused.summary.statusUrl)
    expect(other.code, 'a run with other options').to.equal(2)
    expect(await got('--resume', refused.summary.statusUrl)).to.deep.equal(['Patient/b'])
    expect(await got()).to.deep.equal(['Patient/c'])
    // The older one, gone on with later, does not turn time back.
    expect(await got('--resume', wrong.summary.statusUrl)).to.deep.equal(['Patient/b'])
    expect(await got()).to.deep.equal([])
  })

  it('does not begin from the beginning because its notes cannot be read', async () => {
    await put('a')
    await got()
    const path = join(folder.path, 'bulk-export-state.json')
    const { exports } = JSON.parse(await readFile(path, 'utf8'))
    expect(Object.values(exports)).to.have.length(1)
    await writeFile(path, '{"version":1,"exports":{')
    const before = proxy.requests.length
    const { code, summary } = await run()
    expect(code).to.equal(2)
    expect(summary.error).to.include('bulk-export-state.json cannot be read')
    expect(proxy.requests).to.have.length(before)
  })
})
