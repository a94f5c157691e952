import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { linesIn } from '../host/ndjson-lines.js'
import type { ListedFile } from './manifest.js'
import { issuesOf, readable, type ServerIssue } from './operation-outcome.js'

/** What the check of a file found out. */
export interface CheckedFile {
  readonly lines: number
  readonly bytes: number
  /** What OperationOutcomes in it say. */
  readonly issues: readonly ServerIssue[]
}

/**
 * `hash`: size and SHA-256, where the manifest tells them. `count`: the count of lines too. `lines`: and each line has to
 * be a resource, of the type that the manifest says.
 */
export const CHECK_LEVELS = ['lines', 'count', 'hash'] as const
export type CheckLevel = (typeof CHECK_LEVELS)[number]

export interface CheckOptions {
  readonly level: CheckLevel
  /** Names of resources (`Patient/p1`) that have come; one that comes again is wrong. Absent: not looked at. */
  readonly seen?: Set<string> | undefined
}

/** A file is not what the manifest promises. */
export class FileMismatch extends Error {
  override readonly name = 'FileMismatch'
}

/**
 * Holds a file on disk against the manifest: count, size and SHA-256 where those are told, and its lines.
 *
 * @throws FileMismatch that says what is wrong, without content
 */
export async function checkFile(
  path: string,
  { type, count, extension }: ListedFile,
  { level, seen }: CheckOptions,
): Promise<CheckedFile> {
  const hash = createHash('sha256')
  const issues: ServerIssue[] = []
  const own = new Set<string>()
  let bytes = 0
  let lines = 0
  async function* measured() {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      bytes += chunk.length
      hash.update(chunk)
      yield chunk
    }
  }
  for await (const { text, number } of linesIn(measured())) {
    lines++
    if (level !== 'lines') continue
    const resource = resourceIn(text, number)
    const { resourceType, id } = resource
    if (type !== undefined && resourceType !== type) {
      throw new FileMismatch(`line ${number} is a ${readable(String(resourceType))} and no ${type}`)
    }
    if (resourceType === 'OperationOutcome') issues.push(...(issuesOf(resource) ?? []))
    if (seen === undefined || typeof id !== 'string') continue
    const name = `${resourceType}/${id}`
    if (seen.has(name) || own.has(name)) throw new FileMismatch(`line ${number} has ${name} again`)
    own.add(name)
  }
  const wrong = [
    difference('lines', lines, level === 'hash' ? undefined : count),
    difference('bytes', bytes, extension?.bytes),
    extension?.sha256 !== undefined && hash.digest('hex') !== extension.sha256.toLowerCase()
      ? 'the SHA-256 is another than in the manifest'
      : undefined,
  ].filter((each) => each !== undefined)
  if (wrong.length > 0) throw new FileMismatch(wrong.join(', '))
  // Only those of a file that counts.
  for (const name of own) seen?.add(name)
  return { lines, bytes, issues }
}

function difference(unit: string, found: number, promised: number | undefined): string | undefined {
  if (promised === undefined || found === promised) return undefined
  return `there are ${found} ${unit} where the manifest says ${promised}`
}

function resourceIn(text: string, number: number): { readonly resourceType: string; readonly id?: unknown } {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    throw new FileMismatch(`line ${number} is not JSON`)
  }
  const { resourceType } = (content ?? {}) as { readonly resourceType?: unknown }
  // It is repeated in messages, so it must be no more than a name.
  if (typeof resourceType === 'string' && /^[A-Za-z]{1,64}$/.test(resourceType)) {
    return content as { readonly resourceType: string }
  }
  throw new FileMismatch(`line ${number} is no resource`)
}
