import type { ProfileService } from '../search/core.js'
import type { Way } from './finding.js'

/** What is known of a type before anything is read. */
export interface Readable {
  readonly service: ProfileService
  /** What the option `collections` names for it. */
  readonly collection: string | undefined
}

/** The fastest way in which exports may read a type, and why. */
export function readingWay({ service, collection }: Readable): { readonly way: Way; readonly why: string } {
  const { exportQuery, searchStream } = service as Readonly<Record<string, unknown>>
  if (typeof exportQuery === 'function') return { way: 'scan', why: 'Its service has exportQuery.' }
  if (collection !== undefined) return { way: 'scan', why: 'The option collections names its collection.' }
  if (typeof searchStream === 'function') return { way: 'stream', why: 'Its service has searchStream.' }
  return {
    way: 'search',
    why: 'Its service has neither exportQuery nor searchStream, and the option collections names no collection of it.',
  }
}
