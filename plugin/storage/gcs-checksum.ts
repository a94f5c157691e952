import { createHash, getFips } from 'node:crypto'
import type { GcsBucket, GcsObject } from './gcs-bucket.js'

/** The checksum of all bytes of a file, as Google Cloud Storage compares it before there is an object. */
export interface GcsChecksum {
  update(bytes: Uint8Array): void
  /** For the metadata of an object that is sent whole. Call this or `header` once, at the end. */
  fields(): Readonly<Record<string, string>>
  /** For the last part of an object that is sent in parts. */
  header(): string
  /** Whether a server that does not compare got something else; false when it does not tell. */
  differsFrom(object: GcsObject): boolean
}

/**
 * MD5, which is three times as fast here as CRC32C in JavaScript, except where the rules of the system (FIPS 140)
 * forbid it for any purpose; then the CRC32C of the client.
 */
export function checksumFor(client: GcsBucket['settings']['client'], isFips = getFips() === 1): GcsChecksum {
  if (!isFips) {
    const hash = createHash('md5')
    return checksum(
      'md5',
      'md5Hash',
      (bytes) => hash.update(bytes),
      () => hash.digest('base64'),
    )
  }
  const crc = client.crc32cGenerator()
  // Some validators take buffers only.
  const update = (bytes: Uint8Array) => crc.update(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  return checksum('crc32c', 'crc32c', update, () => crc.toString())
}

function checksum(
  name: string,
  field: 'md5Hash' | 'crc32c',
  update: (bytes: Uint8Array) => void,
  digest: () => string,
): GcsChecksum {
  let value: string | undefined
  const final = () => {
    value ??= digest()
    return value
  }
  return {
    update,
    fields: () => ({ [field]: final() }),
    header: () => `${name}=${final()}`,
    differsFrom: (object) => object[field] !== undefined && object[field] !== final(),
  }
}
