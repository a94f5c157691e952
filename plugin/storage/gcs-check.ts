import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ExportStorage } from './export-storage.js'
import { GcsError } from './gcs-error.js'

/**
 * Writes, reads and removes a tiny key.
 *
 * @param place `gs://bucket/prefix`, for messages
 * @throws GcsError that names the place, the reason and what to do about it
 */
export async function checkStorage(storage: Omit<ExportStorage, 'check'>, place: string): Promise<void> {
  const probe = `probe-${randomUUID()}`
  let doing = 'written'
  try {
    await storage.write(probe, Readable.from([Buffer.from(probe)]), { contentType: 'text/plain' })
    doing = 'read'
    if ((await text(await storage.read(probe))) !== probe)
      throw new GcsError('What was read is not what was written.')
    doing = 'removed'
    await storage.removeAll(probe)
  } catch (error) {
    // What could be written may be removed even if it cannot be read; if not, that is told already.
    if (doing === 'read') await storage.removeAll(probe).catch(() => undefined)
    const { message, code, statusCode } = error instanceof GcsError ? error : new GcsError(String(error))
    const remedy = remedyFor(error)
    const said = `Files cannot be ${doing} in ${place}: ${message.replace(/[.\s]*$/, '.')} ${remedy}`
    throw new GcsError(said.trim(), { code, ...(statusCode !== undefined && { statusCode }) })
  }
}

function remedyFor(error: unknown): string {
  if (!(error instanceof GcsError)) return ''
  const { code, statusCode } = error
  if (code === 'NO_CREDENTIALS' || statusCode === 401) {
    return (
      'Run the server as a service account (workload identity, or the identity of the machine), ' +
      'or set GOOGLE_APPLICATION_CREDENTIALS or keyFilename to a valid key file.'
    )
  }
  if (statusCode === 403) {
    return 'Grant its identity the role roles/storage.objectUser on the bucket, and see that no retention policy forbids to remove.'
  }
  if (code === 'ENOENT' || statusCode === 404) return 'Create the bucket, or correct its name.'
  if (statusCode === undefined) return 'See that the address is right and can be reached from this machine.'
  return ''
}
