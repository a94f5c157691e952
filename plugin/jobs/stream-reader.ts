import type { Resource } from '../fhir/resource.js'
import type { Position } from './model.js'
import { LostPosition, type OneSearch, type ReadOptions, type ReadResource } from './reading.js'
import { SequenceDigest } from './sequence-digest.js'

/**
 * Reads a search whose matches come as one stream. To go on after a position, all that came before it is passed over; the
 * digest of the ids tells whether it is what came then, in that order.
 *
 * @throws LostPosition when it is not
 */
export async function* readStream(
  stream: AsyncIterable<Resource>,
  { start, isWanted }: OneSearch,
  { signal }: Pick<ReadOptions, 'signal'>,
  from: Position | undefined,
): AsyncGenerator<ReadResource> {
  const before = from?.finished ?? 0
  const digest = new SequenceDigest()
  let finished = 0
  for await (const resource of stream) {
    signal.throwIfAborted()
    digest.add(resource.id ?? '')
    finished += 1
    if (finished === before && digest.value !== from?.streamed) throw new LostPosition()
    if (finished <= before) continue
    const wanted = isWanted(resource)
    if (!(typeof wanted === 'boolean' ? wanted : await wanted)) continue
    yield { resource, position: { ...start, finished, streamed: digest.value } }
  }
  if (finished < before) throw new LostPosition()
}
