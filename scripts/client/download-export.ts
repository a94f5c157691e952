import { createWriteStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Manifest, ManifestFile } from '../../plugin/index.js'
import { linesOf } from '../host/ndjson-lines.js'
import { type BulkClient, BulkClientError } from './bulk-client.js'

/** What was downloaded of one resource type. */
export interface TypeSummary {
  readonly type: string
  readonly files: number
  readonly resources: number
  readonly bytes: number
}

/**
 * Downloads all output files of a manifest into a folder and checks them: every line is a resource of the type
 * that the manifest says, there are as many as it says, and no id comes twice within a type.
 *
 * @throws BulkClientError naming the file and what is wrong with it
 */
export async function downloadExport(
  client: BulkClient,
  { output }: Manifest,
  directory: string,
): Promise<readonly TypeSummary[]> {
  await mkdir(directory, { recursive: true })
  const ids = new Set<string>()
  const summaries = new Map<string, TypeSummary>()
  for (const file of output) {
    const path = join(directory, new URL(file.url).pathname.split('/').at(-1) as string)
    await pipeline(await client.download(file.url), createWriteStream(path))
    await checkFile(path, file, ids)
    const { files, resources, bytes } = summaries.get(file.type) ?? { files: 0, resources: 0, bytes: 0 }
    const size = (await stat(path)).size
    summaries.set(file.type, {
      type: file.type,
      files: files + 1,
      resources: resources + file.count,
      bytes: bytes + size,
    })
  }
  return [...summaries.values()]
}

async function checkFile(path: string, { type, count }: ManifestFile, ids: Set<string>): Promise<void> {
  let lines = 0
  for await (const { text } of linesOf(path)) {
    lines++
    const { resourceType, id } = readLine(text, `${path}, line ${lines}`)
    const key = `${resourceType}/${id}`
    if (resourceType !== type) throw wrong(`${path} has a ${resourceType} in line ${lines}`)
    if (ids.has(key)) throw wrong(`${path} has ${key} again in line ${lines}`)
    ids.add(key)
  }
  if (lines !== count) throw wrong(`${path} has ${lines} resources where the manifest says ${count}`)
}

function readLine(line: string, where: string): { resourceType?: string; id?: string } {
  try {
    return JSON.parse(line) as { resourceType?: string; id?: string }
  } catch {
    throw wrong(`${where} is not JSON`)
  }
}

function wrong(what: string): BulkClientError {
  return new BulkClientError(`The download is not what the manifest promises: ${what}.`, 200)
}
