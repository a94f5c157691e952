import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { folderOfExport } from './export-folders.js'
import type { TestHost } from './export-host.js'

export type Headers = Readonly<Record<string, string>>
export type Answer = Awaited<ReturnType<typeof ask>>

/** Exports a type; gives where its only file is. */
export async function exportedFile({ client, ended }: TestHost, type: string, folder: string) {
  const statusUrl = await client.kickOff('system', { _type: type })
  await ended(statusUrl)
  const job = await folderOfExport(folder, statusUrl)
  const [name = ''] = await readdir(job)
  return { url: `${statusUrl}/${type}-1.ndjson`, path: join(job, name) }
}

/** What a file is that may be kept compressed. */
export async function plainOf(path: string): Promise<Buffer> {
  const stored = await readFile(path)
  return path.endsWith('.gz') ? gunzipSync(stored) : stored
}

/** One request; unlike `fetch` this asks for no coding by itself and undoes none. */
export async function ask(url: string, headers: Headers = {}, method = 'GET') {
  const signal = AbortSignal.timeout(10_000)
  const outgoing = request(url, { method, headers, signal }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: await buffer(response) }
}
