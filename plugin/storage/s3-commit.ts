import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { asked, statusOf, taken } from './s3-error.js'
import type { S3Place } from './s3-options.js'

/** With what metadata an object says which write made it. */
export const WRITE_ID = 'write-id'

/** What a request asks for that makes an object only where there is none. */
export interface Conditions {
  readonly IfNoneMatch?: '*'
}

/** A write that is about to be finished. */
export interface Commit {
  readonly place: S3Place
  readonly name: string
  readonly writeId: string
  readonly stop: AbortController
}

/** How long a request that must not be left in doubt may go on after its write was aborted, in ms. */
const GRACE = 2000
/** Answers after which it is certain that nothing was made. */
const REFUSALS = new Set([400, 401, 403, 405, 411, 413])

/**
 * Makes the object by the one request that makes it visible, and finds out what became of it when the answer is lost,
 * or is one to the repetition of a request that got through.
 *
 * @throws Error with code `EEXIST` when another write made the object
 * @throws the reason of `stop`; then the object was taken away again if it was made
 */
export async function commit(
  work: Commit,
  request: (signal: AbortSignal, conditions: Conditions) => Promise<unknown>,
): Promise<void> {
  const { place, name, stop } = work
  await refuseTaken(work)
  try {
    await withGrace(stop.signal, (signal) => conditionally((conditions) => request(signal, conditions)))
  } catch (error) {
    const status = statusOf(error) ?? 0
    if (REFUSALS.has(status) || !(await isOurs(work))) {
      throw status === 412 || status === 409 ? taken(name) : error
    }
  }
  if (!stop.signal.aborted) return
  const command = new DeleteObjectCommand({ Bucket: place.bucket, Key: name })
  await withGrace(stop.signal, (abortSignal) => place.client.send(command, { abortSignal }))
  stop.signal.throwIfAborted()
}

/**
 * Makes a request whose outcome counts: after the write is aborted it has a moment more to end by itself, so that it
 * is known whether there is something to take away.
 */
export async function withGrace<T>(
  stop: AbortSignal,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const onStop = () => {
    timer = setTimeout(() => late.abort(stop.reason), GRACE)
  }
  if (stop.aborted) onStop()
  else stop.addEventListener('abort', onStop, { once: true })
  try {
    return await request(late.signal)
  } finally {
    stop.removeEventListener('abort', onStop)
    clearTimeout(timer)
  }
}

/**
 * Rejects when there is such an object. The request that makes it has the condition too, so that of two writers only
 * one succeeds; this look is for compatible servers that pass over the condition, and to send nothing in vain.
 *
 * @throws Error with code `EEXIST`
 */
export async function refuseTaken({ place, name, stop }: Commit): Promise<void> {
  try {
    const command = new HeadObjectCommand({ Bucket: place.bucket, Key: name })
    const looking = place.client.send(command, { abortSignal: stop.signal })
    await asked(place, 'HeadObject', name, looking)
  } catch (error) {
    const status = statusOf(error) ?? 0
    // Without the right to list there is no 404. What else is wrong, the answer to the next request tells better.
    if (status === 404 || status === 301 || REFUSALS.has(status)) return
    throw error
  }
  throw taken(name)
}

async function conditionally(request: (conditions: Conditions) => Promise<unknown>): Promise<unknown> {
  try {
    return await request({ IfNoneMatch: '*' })
  } catch (error) {
    // What a server says that does not know the condition.
    if (statusOf(error) !== 501) throw error
    return await request({})
  }
}

/** Whether the object is the one this write made. When even that cannot be asked, the write has failed as it did. */
async function isOurs({ place, name, writeId, stop }: Commit): Promise<boolean> {
  const command = new HeadObjectCommand({ Bucket: place.bucket, Key: name })
  const found = await withGrace(stop.signal, (abortSignal) =>
    place.client.send(command, { abortSignal }),
  ).catch(() => undefined)
  return found?.Metadata?.[WRITE_ID] === writeId
}
