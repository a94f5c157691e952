import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

describe('the links of the documentation', () => {
  it('lead to pages and headings that are there', async () => {
    const names = (await Promise.all(['.', 'plugin', 'docker'].map(pagesIn))).flat()
    const broken: string[] = []
    for (const page of names) {
      for (const target of linksIn(await textOf(page))) {
        const [path = '', heading] = target.split('#')
        const file = path === '' ? page : join(dirname(page), path)
        const found = await stat(join(REPOSITORY, file)).catch(() => undefined)
        const isThere = heading === undefined ? found !== undefined : await hasHeading(file, heading)
        if (!isThere) broken.push(`${page}: ${target}`)
      }
    }
    expect(names).to.include.members(['README.md', 'plugin/SECURITY.md'])
    expect(broken).to.deep.equal([])
  })
})

async function pagesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(REPOSITORY, folder))
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name))
}

/** Targets of links within the repository. */
function linksIn(text: string): readonly string[] {
  const links = withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)
  return [...links].map(([, target]) => target as string).filter((target) => !/^\w+:/.test(target))
}

async function hasHeading(page: string, wanted: string): Promise<boolean> {
  const text = await textOf(page).catch(() => '')
  const headings = [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    anchorOf(title as string),
  )
  return headings.includes(wanted)
}

/** As repositories on the web make it. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

function textOf(page: string): Promise<string> {
  return readFile(join(REPOSITORY, page), 'utf8')
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '')
}
