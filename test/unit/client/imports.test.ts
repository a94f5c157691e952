import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const PROJECT = new URL('../../../', import.meta.url)

describe('the export client', () => {
  it('needs only packages that come with this one', async () => {
    const found = new Set<string>()
    const files = new Set<string>()
    await collect(new URL('scripts/export.ts', PROJECT), files, found)
    const { dependencies } = JSON.parse(await readFile(new URL('package.json', PROJECT), 'utf8'))
    expect(files.size).to.be.above(20)
    expect([...found].sort()).to.deep.equal(['cli-progress', 'commander', 'jose', 'zod'])
    expect(dependencies).to.include.all.keys(...found)
  })
})

/** Follows the imports that are left when types are gone. */
async function collect(file: URL, files: Set<string>, packages: Set<string>): Promise<void> {
  const path = fileURLToPath(file)
  if (files.has(path)) return
  files.add(path)
  const source = await readFile(file, 'utf8')
  for (const [, name = ''] of source.matchAll(/^(?:import|export) (?!type )[^']*? from '([^']+)'$/gm)) {
    if (name.startsWith('.')) await collect(new URL(name.replace(/\.js$/, '.ts'), file), files, packages)
    else if (!name.startsWith('node:')) packages.add(name)
  }
}
