import { z } from 'zod'
import { ExportFailure } from './failure.js'

const count = z.number().int().nonnegative()

const fileSchema = z.object({
  /** Absent where files are organised by something else than types. */
  type: z
    .string()
    .regex(/^\w{1,64}$/)
    .optional(),
  url: z.url({ protocol: /^https?$/ }),
  count: count.optional(),
  extension: z
    .object({
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/i)
        .optional(),
      bytes: count.optional(),
    })
    .optional()
    // Extensions are for anybody to invent.
    .catch(undefined),
})

const pageSchema = z.object({
  transactionTime: z.iso.datetime({ offset: true }),
  request: z.string(),
  requiresAccessToken: z.boolean(),
  output: z.array(fileSchema),
  deleted: z.array(fileSchema).default([]),
  error: z.array(fileSchema).default([]),
  link: z.array(z.object({ relation: z.string(), url: z.url({ protocol: /^https?$/ }) })).default([]),
})

/** A file as a manifest has it. */
export type ListedFile = z.infer<typeof fileSchema>

/** All pages of a manifest as one. */
export type WholeManifest = Omit<z.infer<typeof pageSchema>, 'link'>

/** The lists of files that a manifest has. */
export const FILE_KINDS = ['output', 'deleted', 'error'] as const
export type FileKind = (typeof FILE_KINDS)[number]

/**
 * Follows the pages of a manifest (Bulk Data 3.0.0, `link`).
 *
 * @param first what the status URL has answered
 * @param load gets another page
 * @throws ExportFailure `failed` for what is no manifest, pages of different exports, and pages without an end
 */
export async function wholeManifest(
  first: unknown,
  load: (url: string) => Promise<unknown>,
): Promise<WholeManifest> {
  const { link, ...manifest } = readPage(first)
  const seen = new Set<string>()
  for (let next = nextOf(link); next !== undefined; ) {
    if (seen.has(next)) throw wrong('its pages lead back to one that was there before')
    seen.add(next)
    const page = readPage(await load(next))
    if (page.transactionTime !== manifest.transactionTime) throw wrong('its pages have different times')
    for (const kind of FILE_KINDS) manifest[kind].push(...page[kind])
    manifest.requiresAccessToken ||= page.requiresAccessToken
    next = nextOf(page.link)
  }
  return manifest
}

function readPage(content: unknown) {
  const page = pageSchema.safeParse(content)
  if (page.success) return page.data
  const { path, message } = page.error.issues[0] ?? { path: [], message: '' }
  throw wrong(`${path.join('.') || 'the whole'}: ${message}`)
}

function nextOf(link: readonly { readonly relation: string; readonly url: string }[]): string | undefined {
  return link.find(({ relation }) => relation === 'next')?.url
}

function wrong(what: string): ExportFailure {
  return new ExportFailure('failed', `The manifest of the server cannot be used: ${what}.`)
}
