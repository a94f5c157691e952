import { createHash } from 'node:crypto'
import { ExportError } from '../errors.js'
import type { ResourceType } from '../fhir/resource.js'
import type { Page } from '../search/search-adapter.js'

/** Many services have a few empty pages; none has this many one after the other. */
const MOST_EMPTY_PAGES = 10_000

/** The pages of one search: notices a service that would keep its reader reading for ever. */
export class PageHistory {
  readonly #seen = new Set<string>()
  #emptyPages = 0

  constructor(private readonly type: ResourceType) {}

  /** @throws ExportError for a cursor or a page that came before, or for endless empty pages */
  add({ resources, next }: Page): void {
    this.#emptyPages = resources.length === 0 ? this.#emptyPages + 1 : 0
    const cursor = next === undefined ? undefined : digest(`cursor ${next}`)
    const ids = resources.flatMap(({ id }) => id ?? [])
    // Resources without ids cannot be told apart from those of another page.
    const page = ids.length > 0 && ids.length === resources.length ? digest(`page ${ids.join()}`) : undefined
    const isRepeated = [cursor, page].some((mark) => mark !== undefined && this.#seen.has(mark))
    for (const mark of [cursor, page]) if (mark !== undefined) this.#seen.add(mark)
    if (!isRepeated && this.#emptyPages < MOST_EMPTY_PAGES) return
    throw new ExportError(
      500,
      `The search service of ${this.type} answers with the same page again and again, so the export cannot end. ` +
        'Its link "next" must lead to the page after.',
    )
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64').slice(0, 16)
}
