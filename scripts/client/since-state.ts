import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { codeOf, ExportFailure } from './failure.js'
import type { Level, Parameters } from './kick-off.js'
import { readRecord, writeWhole } from './output-folder.js'

const STATE = 'bulk-export-state.json'

const entrySchema = z.object({
  url: z.string(),
  level: z.string(),
  parameters: z.array(z.string()),
  transactionTime: z.iso.datetime({ offset: true }),
  folder: z.string(),
})
const stateSchema = z.object({ version: z.literal(1), exports: z.record(z.string(), entrySchema) })

/** What an export asks for: two that ask for the same have the same last transaction time. */
export interface ExportIdentity {
  readonly url: string
  readonly level: Level
  readonly parameters: Parameters
  /** Another client may see other resources. */
  readonly clientId?: string | undefined
  /** Such as the one that picks a tenant. */
  readonly headers: Readonly<Record<string, string>>
  readonly lenient: boolean
}

/** The same for the same export, in whatever order its parameters come; `_since` does not count. */
export function exportKey({ url, level, parameters, clientId, headers, lenient }: ExportIdentity): string {
  const own = Object.entries(headers)
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((header) => !header.startsWith('authorization:'))
  const content = [url, levelText(level), sorted(parameters), clientId ?? '', own.sort(), lenient]
  return createHash('sha256').update(JSON.stringify(content)).digest('hex')
}

/** @returns when the last whole export was that asked for the same; `undefined`: there was none */
export async function lastTransactionTime(directory: string, key: string): Promise<string | undefined> {
  return (await readState(directory)).exports[key]?.transactionTime
}

/** Keeps the time of an export that is whole. An older one than is known, which was gone on with later, is not kept. */
export async function keepTransactionTime(
  directory: string,
  identity: ExportIdentity,
  { transactionTime, folder }: { readonly transactionTime: string; readonly folder: string },
): Promise<void> {
  const state = await readState(directory)
  const key = exportKey(identity)
  const known = state.exports[key]?.transactionTime
  if (known !== undefined && Date.parse(known) >= Date.parse(transactionTime)) return
  const { url, level, parameters } = identity
  const entry = { url, level: levelText(level), parameters: sorted(parameters), transactionTime, folder }
  const exports = { ...state.exports, [key]: entry }
  await writeWhole(join(directory, STATE), `${JSON.stringify({ ...state, exports }, undefined, 2)}\n`)
}

/** The name of a sub-folder for an export that begins now; in the order of time. */
export function runFolder(now: Date): string {
  return now.toISOString().replace(/[:.]/g, '-')
}

/** The sub-folder in which an export was begun. */
export async function findRun(directory: string, statusUrl: string): Promise<string | undefined> {
  for (const name of (await readdir(directory)).toSorted()) {
    if ((await readRecord(join(directory, name)))?.statusUrl === statusUrl) return name
  }
  return undefined
}

async function readState(directory: string): Promise<z.infer<typeof stateSchema>> {
  const path = join(directory, STATE)
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { version: 1, exports: {} }
    // Going on without it would export everything again.
    throw new ExportFailure(
      'usage',
      `${path} cannot be read. Mend it, or remove it to export everything again.`,
      {
        cause: error,
      },
    )
  }
}

function sorted(parameters: Parameters): string[] {
  return parameters
    .filter(([name]) => name !== '_since')
    .map(([name, value]) => `${name}=${value}`)
    .sort()
}

function levelText(level: Level): string {
  return typeof level === 'string' ? level : `Group/${level.group}`
}
