const SEGMENT = /^(?!\.\.?$)[^/\\\0]{1,255}$/
/** What S3, Azure Blob and Google Cloud Storage all take, in bytes. */
const LONGEST_KEY = 1024

/**
 * The segments of a storage key, or of a prefix of keys.
 *
 * @throws Error for one that could lead out of its place, or that not every storage can keep
 */
export function segmentsOf(key: string): readonly string[] {
  const segments = key.split('/')
  const isKept = segments.every((segment) => SEGMENT.test(segment)) && Buffer.byteLength(key) <= LONGEST_KEY
  if (!isKept) throw new Error(`Not a storage key: ${key.slice(0, 200)}`)
  return segments
}

/** A prefix of keys as it is compared: without a slash at its end. */
export function checkedPrefix(prefix: string): string {
  const checked = prefix.replace(/\/$/, '')
  segmentsOf(checked)
  return checked
}
