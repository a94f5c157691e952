import { readFile } from 'node:fs/promises'
import { expect } from 'chai'

const PROJECT = new URL('../../../', import.meta.url)
/** A module that is loaded at run time: all but `import type` and `export type`. */
const LOADED =
  /(?:^(?:import|export)\s(?!type\s)(?:[\w\s{},*]+?\sfrom\s)?|\b(?:import|require|resolve)\()['"]([^'"]+)['"]/gm

describe('docker/Dockerfile', () => {
  let dockerfile: string
  let programs: readonly string[]
  before('read', async () => {
    dockerfile = await readFile(new URL('docker/Dockerfile', PROJECT), 'utf8')
    const linked = /for program in (.*?); do/.exec(dockerfile)?.[1]?.split(' ') ?? []
    programs = ['start', ...linked]
  })

  it('keeps the packages that its programs load, and no others', async () => {
    const { dependencies } = JSON.parse(await readFile(new URL('package.json', PROJECT), 'utf8'))
    const kept = /keep-packages\.js ((?:[^\n]*\\\n)*)/.exec(dockerfile)?.[1]?.match(/@?[a-z][\w/.-]+/g) ?? []
    const loaded = await packagesOf(programs.map((name) => new URL(`scripts/${name}.ts`, PROJECT)))
    // Loaded only without MONGODB_URI, to find a server by itself; a container has none.
    loaded.delete('mongodb-memory-server-core')
    const own = new Set(Object.keys(dependencies))
    const needed = [...loaded].filter((name) => !own.has(name))
    expect(kept.filter((name) => name !== 'npm').sort()).to.deep.equal(needed.sort())
  })

  it('starts as nobody special, with a health check and no shell', () => {
    expect(dockerfile).to.match(/^USER 1000:1000$/m)
    expect(dockerfile).to.match(/^HEALTHCHECK .*CMD \["node", "healthy"\]$/m)
    expect(dockerfile).to.match(/^ENTRYPOINT \["node"\]$/m)
    const [, last = ''] = dockerfile.split(/^FROM \$\{BASE_IMAGE\}$/m)
    expect(last, 'a base without a shell is possible').to.not.match(/^RUN /m)
  })
})

/** The packages that files load, also through others of the project. */
async function packagesOf(files: readonly URL[]): Promise<Set<string>> {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const waiting = [...files]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file.href)) continue
    seen.add(file.href)
    for (const [, name = ''] of (await readFile(file, 'utf8')).matchAll(LOADED)) {
      if (name.startsWith('.')) waiting.push(new URL(name.replace(/\.js$/, '.ts'), file))
      else if (!name.startsWith('node:')) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
    }
  }
  return packages
}
