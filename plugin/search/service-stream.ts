import { setImmediate } from 'node:timers/promises'
import { ExportError } from '../errors.js'
import { isResource, type Resource, type ResourceType } from '../fhir/resource.js'
import { Patience, type PatienceLimits } from './patience.js'
import { asResource } from './search-answer.js'

export interface ServiceStreamOptions extends PatienceLimits {
  readonly type: ResourceType
}

/**
 * Reads what the `searchStream` of a service gives, one resource after the other and none ahead. The time limit is that
 * of each resource; the time that the reader takes does not count.
 *
 * The iterator is closed when the reader leaves early, when it gives what is no resource, when it takes too long and when
 * the signal is aborted; a stream that hangs may hang in closing too, so nobody waits for that one.
 *
 * @param open calls the service
 * @throws what the service throws, and `ExportError` naming the type for an answer that is no stream of resources
 */
export async function* readServiceStream(
  open: () => unknown,
  { type, ...limits }: ServiceStreamOptions,
): AsyncGenerator<Resource> {
  const patience = new Patience(limits)
  let iterator: Iteration | undefined
  try {
    iterator = await patience.for(async () => {
      const opened = iterationOf(await open(), type)
      // It has come too late: nobody else would close it.
      if (patience.isLost) void close(opened)
      return opened
    })
    let breathed = performance.now()
    for (let number = 1; ; number += 1) {
      const { value, done } = await nextOf(iterator, patience)
      if (done) {
        iterator = undefined
        return
      }
      yield checked(value, type, number)
      if (number % 16 !== 0 || performance.now() - breathed < BREATH) continue
      await setImmediate()
      breathed = performance.now()
    }
  } finally {
    const closing = iterator && close(iterator)
    if (closing && !patience.isLost) await patience.for(() => closing).catch(alreadyRead)
    patience.end()
  }
}

/** What has its resources at hand would let nobody else do anything, signals included; after this long it does, in ms. */
const BREATH = 10

type Iteration = Pick<AsyncIterator<unknown> | Iterator<unknown>, 'next' | 'return'>

function iterationOf(opened: unknown, type: ResourceType): Iteration {
  if (typeof opened === 'object' && opened !== null) {
    const { [Symbol.asyncIterator]: inTime, [Symbol.iterator]: atOnce } = opened as Partial<
      AsyncIterable<unknown> & Iterable<unknown>
    >
    if (typeof inTime === 'function') return inTime.call(opened)
    if (typeof atOnce === 'function') return atOnce.call(opened)
  }
  throw new ExportError(
    500,
    `The searchStream of ${type} gave ${kindOf(opened)}, which cannot be read one after the other. It has to give an ` +
      'iterable of resources, such as an async generator or a cursor, or a promise of one.',
  )
}

async function nextOf(iterator: Iteration, patience: Patience): Promise<IteratorResult<unknown>> {
  return patience.for<IteratorResult<unknown>>(() => iterator.next())
}

/** Never rejects. */
async function close(iterator: Iteration): Promise<void> {
  try {
    await iterator.return?.()
  } catch (error) {
    alreadyRead(error)
  }
}

/** Whether a stream can be closed makes what has come of it neither right nor wrong. */
function alreadyRead(_error: unknown): void {}

/** A Bundle among other types is a page of a service that has mistaken this for `search`: its resources would be lost. */
function checked(value: unknown, type: ResourceType, number: number): Resource {
  const resource = asResource(value)
  if (resource !== undefined && (resource.resourceType !== 'Bundle' || type === 'Bundle')) return resource
  throw new ExportError(
    500,
    `The searchStream of ${type} gave ${kindOf(value)} as number ${number}, which is no such resource. It has to give ` +
      'resources one by one, each an object with a resourceType, and no pages.',
  )
}

/** What kind of thing it is; nothing of what is in it. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (isResource(value)) return value.resourceType === 'Bundle' ? 'a Bundle' : 'a resource'
  return typeof value === 'object' ? 'an object without a resourceType' : `a ${typeof value}`
}
