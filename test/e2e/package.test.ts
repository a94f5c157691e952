import { readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { usePackedProject } from '../support/packed-project.js'

interface Manifest {
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

/** Bytes of the tarball, and of what it has: more is to be looked at before it is published. */
const LARGEST = { packed: 512 * 1024, unpacked: 2 * 1024 * 1024 }
const CONTENT = /^(dist\/(plugin|scripts\/client|test\/suites)\/|plugin\/[A-Z]+\.md$)/
const SINGLE_FILES = [
  ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
  ...['dist/config/export-token.js', 'dist/config/export-token.d.ts'],
  ...['dist/scripts/export.js', 'dist/scripts/export.d.ts'],
  ...['dist/scripts/host/ndjson-lines.js', 'dist/scripts/host/ndjson-lines.d.ts'],
]

describe('the packed package', () => {
  const project = usePackedProject()
  let root: string
  let manifest: Manifest

  before('read its manifest', async () => {
    root = join(project.folder, 'node_modules/node-fhir-server-bulk-export')
    manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  })

  it('has only what it needs, and is small', () => {
    const { size, unpackedSize, files } = project.tarball
    console.log(`      ${files.length} files, ${kib(size)} packed, ${kib(unpackedSize)} unpacked`)
    const paths = files.map(({ path }) => path)
    expect(paths.filter((path) => !CONTENT.test(path))).to.have.members(SINGLE_FILES)
    expect(size).to.be.below(LARGEST.packed)
    expect(unpackedSize).to.be.below(LARGEST.unpacked)
  })

  it('has every file that its manifest names, and every page that its README links to', async () => {
    const named = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap((entry) =>
        typeof entry === 'string' ? entry : [entry.types, entry.default],
      ),
    ].map((path) => path.replace(/^\.\//, ''))
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const linked = [...readme.matchAll(/\]\((plugin\/[^)#]+\.md)/g)].map(([, path]) => path as string)
    const paths = project.tarball.files.map(({ path }) => path)
    expect(paths).to.include.members([...named, ...linked])
  })

  it('has public types without any, from packages that come with it', async () => {
    const entries = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [] : join(root, entry.types),
    )
    const files = await declarationsFrom(entries)
    expect(files.size).to.be.above(entries.length)
    const bad: string[] = []
    const packages = new Set<string>()
    for (const [path, text] of files) {
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      if (/\bany\b/.test(code)) bad.push(path.slice(root.length + 1))
      for (const name of namesIn(text)) if (!name.startsWith('.')) packages.add(name)
    }
    expect(bad).to.deep.equal([])
    // Types of a package that is not there are `any` without a word.
    const offered = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const missing = [...packages].filter((name) => !isBuiltin(name) && !hasTypes(packageOf(name), offered))
    expect(missing).to.deep.equal([])
  })
})

/** Declaration files by path, those that are reached by imports included. */
async function declarationsFrom(entries: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  const left = [...entries]
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    if (files.has(path)) continue
    const text = await readFile(path, 'utf8')
    files.set(path, text)
    for (const name of namesIn(text)) {
      if (name.startsWith('.')) left.push(join(dirname(path), name.replace(/\.js$/, '.d.ts')))
    }
  }
  return files
}

/** What a declaration file imports. */
function namesIn(text: string): readonly string[] {
  const imports = text.matchAll(/(?:\bfrom|\bimport\(?|types=)\s*['"]([^'"]+)['"]/g)
  return [...imports].map(([, name]) => name as string)
}

function isBuiltin(name: string): boolean {
  return name.startsWith('node:') || name === 'node' || builtinModules.includes(name)
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Packages without types of their own that public types name. */
const TYPED_APART = new Set(['express', 'fhir', 'mocha', 'chai'])

function hasTypes(name: string, offered: readonly string[]): boolean {
  return offered.includes(TYPED_APART.has(name) ? `@types/${name}` : name)
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`
}
