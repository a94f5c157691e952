import { setTimeout as delay } from 'node:timers/promises'
import type { Manifest } from '../../plugin/index.js'
import type { Level } from '../client/bulk-client.js'
import type { Expectation } from './expectation.js'
import { contentsOf } from './storage-folder.js'
import type { StubbornClient } from './stubborn-client.js'

/** The manifest that is put beside the files. */
const MANIFEST = 'manifest.json'
/** How long what does not count may lie on the storage after the end of an export, in ms. */
const SWEEP_LIMIT = 10_000
/** How many names a finding gives of each kind. */
const EXAMPLES = 5

/** What is wrong with a complete export, and how much there was of it. */
export interface Verified {
  readonly problems: readonly string[]
  readonly files: number
  readonly resources: number
}

/**
 * Downloads a complete export and holds it against what it must have: each expected resource once and no other, as many
 * lines as the manifest says, no `error` file, and no file on the storage that the manifest does not name.
 *
 * @param folder where the storage keeps the files of this export
 */
export async function verifyExport(
  level: Level,
  { output, error, deleted }: Manifest,
  folder: string,
  { client, expectation }: { readonly client: StubbornClient; readonly expectation: Expectation },
): Promise<Verified> {
  const problems: string[] = []
  const tally = expectation.tally(level)
  let resources = 0
  for (const { type, url, count } of output) {
    const names = await client.namesIn(url)
    resources += names.length
    if (names.length !== count)
      problems.push(`${fileName(url)}: ${names.length} lines, ${count} in the manifest`)
    const others = names.filter((name) => !name.startsWith(`${type}/`))
    if (others.length > 0) problems.push(`${fileName(url)} has ${some(others)}`)
    for (const name of names) tally.count(name)
  }
  for (const [kind, names] of Object.entries(tally.differences())) {
    if (names.length > 0) problems.push(`${kind}: ${some(names)}`)
  }
  if (error.length + deleted.length > 0) problems.push('There are error or deleted files.')
  const named = new Set([...output.map(({ url }) => fileName(url)), MANIFEST])
  const surplus = await surplusFiles(folder, named)
  const there = new Set(await contentsOf(folder))
  const missing = [...named].filter((name) => !there.has(name))
  if (missing.length > 0) problems.push(`Not on the storage: ${some(missing)}`)
  if (surplus.length > 0) problems.push(`On the storage and not in the manifest: ${some(surplus)}`)
  return { problems, files: output.length, resources }
}

/** Files that no manifest names; they may be removed for a while after the export has been completed. */
async function surplusFiles(folder: string, named: ReadonlySet<string>): Promise<readonly string[]> {
  const deadline = Date.now() + SWEEP_LIMIT
  for (;;) {
    const surplus = (await contentsOf(folder)).filter((name) => !named.has(name))
    if (surplus.length === 0 || Date.now() > deadline) return surplus
    await delay(200)
  }
}

function fileName(url: string): string {
  return new URL(url).pathname.split('/').at(-1) ?? ''
}

function some(names: readonly string[]): string {
  const rest = names.length > EXAMPLES ? ', …' : ''
  return `${names.length} (${names.slice(0, EXAMPLES).join(', ')}${rest})`
}
