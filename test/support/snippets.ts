import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

/** A fenced block of code of a page. */
export interface Snippet {
  /** `README.md > Add it to your host`; the second and later ones of a heading end with ` (2)`, and so on. */
  readonly name: string
  /** As the fence says it: `js`, `sh`, or empty for what is not meant to be run. */
  readonly language: string
  readonly code: string
  /** The file that it is, if its first line is a comment that says so, such as `// worker.js`. */
  readonly file?: string
}

/** The blocks of a page that say in which language they are, in their order. */
export async function snippetsOf(page: string): Promise<readonly Snippet[]> {
  const text = await readFile(join(REPOSITORY, page), 'utf8')
  const counts = new Map<string, number>()
  const snippets: Snippet[] = []
  let heading = ''
  // A block, or a heading outside of one.
  for (const [, language, code = '', title] of text.matchAll(/^```(\w*)\n([\s\S]*?)^```$|^#+ (.+)$/gm)) {
    if (title !== undefined) heading = title
    if (!language) continue
    const place = `${page} > ${heading}`
    const count = (counts.get(place) ?? 0) + 1
    counts.set(place, count)
    const file = /^\/\/ (\S+\.js)\n/.exec(code)?.[1]
    snippets.push({
      name: count === 1 ? place : `${place} (${count})`,
      ...{ language, code, ...(file === undefined ? {} : { file }) },
    })
  }
  return snippets
}
